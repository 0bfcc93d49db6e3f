"""`scim-relay links`: which team of TFE follows which group, as configuration."""

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

COLUMNS: Final = ("group", "team", "standing", "detail")


@click.group()
def links() -> None:
    """Team links as the configuration declares them ([[links]])."""


@links.command()
@config_option
@socket_option
@json_option
def plan(config: Path | None, socket: str | None, as_json: bool) -> None:
    """Show how every declared link stands, what is linked undeclared, and what cannot be linked."""
    _show(config, socket, as_json=as_json)


@links.command()
@config_option
@socket_option
@json_option
def status(config: Path | None, socket: str | None, as_json: bool) -> None:
    """Show the same, while `apply` is carried out or after it."""
    _show(config, socket, as_json=as_json)


@links.command()
@config_option
@socket_option
@click.option("--yes", is_flag=True, help="Do it; without it only the plan is shown.")
@click.option("--unlink", is_flag=True, help="Unlink what follows another group, or undeclared.")
@click.option("--reason", default="links apply", help="Why; kept with the order.")
def apply(config: Path | None, socket: str | None, yes: bool, unlink: bool, reason: str) -> None:
    """Make the declared links, ten a minute at most; the relay goes on after a restart.

    Groups that are not there yet are waited for. Members of a team that is unlinked stay in it.
    """
    if not yes:
        _show(config, socket, as_json=False)
        return
    answer = ask_daemon(config, socket, "links/apply", {"unlink": unlink, "reason": reason})
    assert isinstance(answer, dict)
    show_fields(answer)


def _show(config: Path | None, socket: str | None, *, as_json: bool) -> None:
    answer = ask_daemon(config, socket, "links/plan", {})
    assert isinstance(answer, dict)
    if as_json:
        show_json(answer)
        return
    rows = answer.pop("links")
    show_fields(answer)
    if isinstance(rows, list):
        show_table([row for row in rows if isinstance(row, dict)], COLUMNS)
