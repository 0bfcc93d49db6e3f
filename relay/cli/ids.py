"""`scim-relay ids export`: which ids identity providers hold, and which TFE has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from relay.cli.asking import ask_daemon, json_option, show_json, show_table, socket_option
from relay.cli.config import config_option

if TYPE_CHECKING:
    from pathlib import Path

    from relay.rules.types import JsonObject

COLUMNS: Final = ("kind", "name", "external_id", "id", "tfe_id")


@click.group()
def ids() -> None:
    """Ids that identity providers hold, and Terraform Enterprise's own."""


@ids.command()
@config_option
@socket_option
@json_option
@click.option("--all", "everything", is_flag=True, help="Those that are the same too.")
def export(config: Path | None, socket: str | None, as_json: bool, everything: bool) -> None:
    """List whose id is the relay's and not Terraform Enterprise's own, one a line.

    Without the relay an identity provider must find them again by `userName` or `displayName`.
    """
    found: list[JsonObject] = []
    after = 0
    while page := ask_daemon(config, socket, "ids", {"after": after, "all": everything}):
        assert isinstance(page, list)
        found += [row for row in page if isinstance(row, dict)]
        after = int(str(found[-1]["row"]))
    rows: list[JsonObject] = [{name: row[name] for name in COLUMNS} for row in found]
    show_json([*rows]) if as_json else show_table(rows, COLUMNS)
