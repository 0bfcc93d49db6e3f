"""`scim-relay changes`: what became of accepted writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from relay.cli.asking import (
    ask_daemon,
    json_option,
    show_fields,
    show_json,
    show_table,
    socket_option,
)
from relay.cli.config import config_option

if TYPE_CHECKING:
    from pathlib import Path

    from relay.rules.types import JsonObject

_STATES: Final = ("pending", "delivered", "refused", "parked", "dropped")
_COLUMNS: Final = ("change", "state", "connection", "verb", "kind", "name", "age_s", "reason")


@click.group()
def changes() -> None:
    """What became of accepted writes."""


@changes.command(name="list")
@config_option
@socket_option
@json_option
@click.option("--state", type=click.Choice(_STATES), default=None, help="Only these.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
def list_(
    config: Path | None, socket: str | None, as_json: bool, state: str | None, limit: int
) -> None:
    """List changes, newest first."""
    arguments: JsonObject = {"state": state, "limit": limit}
    answer = ask_daemon(config, socket, "changes/list", arguments)
    rows = [row for row in answer if isinstance(row, dict)] if isinstance(answer, list) else []
    if as_json:
        show_json(answer)
    elif rows:
        show_table(rows, _COLUMNS)
    else:
        click.echo("no changes")


@changes.command()
@click.argument("change", type=click.IntRange(min=1))
@config_option
@socket_option
@json_option
def show(change: int, config: Path | None, socket: str | None, as_json: bool) -> None:
    """Show one change with every attempt."""
    answer = ask_daemon(config, socket, "changes/show", {"change": change})
    if as_json or not isinstance(answer, dict):
        show_json(answer)
    else:
        show_fields(answer)
