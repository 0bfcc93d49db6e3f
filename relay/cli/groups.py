"""`scim-relay groups`: groups that are larger than Terraform Enterprise takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from relay.cli.asking import (
    ORDER_S,
    ask_daemon,
    json_option,
    show_fields,
    show_json,
    show_table,
    socket_option,
)
from relay.cli.config import config_option
from relay.cli.holding import reason_option

if TYPE_CHECKING:
    from pathlib import Path


@click.group()
def groups() -> None:
    """Groups that are larger than Terraform Enterprise takes."""


@groups.command()
@config_option
@socket_option
@json_option
def parts(config: Path | None, socket: str | None, as_json: bool) -> None:
    """List the parts in which Terraform Enterprise holds large groups, and which a team follows."""
    answer = ask_daemon(config, socket, "groups/parts", {})
    rows = [row for row in answer if isinstance(row, dict)] if isinstance(answer, list) else []
    if as_json:
        show_json(answer)
    elif rows:
        show_table(rows, ("group", "part", "members", "linked", "refused"))
    else:
        click.echo("no group is larger than Terraform Enterprise takes")


@groups.command()
@click.argument("group")
@config_option
@socket_option
@json_option
@reason_option
def compact(
    group: str, config: Path | None, socket: str | None, as_json: bool, reason: str
) -> None:
    """Delete the parts of GROUP (name or id) that nobody is in; teams lose their link to them."""
    answer = ask_daemon(
        config, socket, "groups/compact", {"group": group, "reason": reason}, ORDER_S
    )
    assert isinstance(answer, dict)
    show_json(answer) if as_json else show_fields(answer)
