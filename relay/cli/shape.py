"""`scim-relay shape`: what waits, by kind, cause and age."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from relay.cli.asking import ask_daemon, json_option, show_json, show_table, socket_option
from relay.cli.config import config_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@config_option
@socket_option
@json_option
def shape(config: Path | None, socket: str | None, as_json: bool) -> None:
    """Show how old what waits is: one row for each kind and cause, columns in minutes.

    `ready` has its turn coming, `resting` and `sending` are on their way, `blocked` waits for
    another change, `held` for an operator, `parked` was refused for good.
    """
    from relay.store.operate.shape import COLUMNS

    answer = ask_daemon(config, socket, "shape", {})
    rows = [row for row in answer if isinstance(row, dict)] if isinstance(answer, list) else []
    if as_json:
        show_json(answer)
    elif rows:
        show_table(rows, ("kind", "waits", "total", *COLUMNS))
    else:
        click.echo("nothing waits")
