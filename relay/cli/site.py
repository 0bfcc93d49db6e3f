"""`scim-relay site`: Terraform Enterprise's own side, read anew through its admin API."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


@click.command()
@config_option
@socket_option
@json_option
@click.option("--users", is_flag=True, help="Each user whom SCIM manages, and when it changed it.")
def site(config: Path | None, socket: str | None, as_json: bool, users: bool) -> None:
    """Show what only a site administrator sees: switches, tokens, teams, versions, findings.

    Needs `[admin_api]`. With `--users` the ones whom SCIM has not changed for longest come first:
    who should have changed since is out of step.
    """
    answer = ask_daemon(config, socket, "site", {"users": users})
    if as_json:
        show_json(answer)
    elif isinstance(answer, list):
        rows = [row for row in answer if isinstance(row, dict)]
        show_table(rows, ("username", "scim_username", "scim_updated", "suspended"))
    else:
        assert isinstance(answer, dict)
        show_fields(answer)
