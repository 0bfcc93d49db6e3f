"""`scim-relay explain`: why a user or a group is not in TFE, or in the team, as it was written."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from relay.cli.asking import ask_daemon, cell, json_option, show_json, socket_option
from relay.cli.config import config_option
from relay.cli.exits import Exit
from relay.cli.holds import rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from relay.rules.types import JsonObject

_KINDS: Final = {"user": "User", "group": "Group"}


@click.command()
@click.argument("kind", type=click.Choice(list(_KINDS)))
@click.argument("name")
@config_option
@socket_option
@json_option
def explain(kind: str, name: str, config: Path | None, socket: str | None, as_json: bool) -> None:
    """Say why a user or group is not in Terraform Enterprise as it should be: cause and next step.

    NAME is a userName or displayName, an id of any age, an externalId, or a user's address. For a
    user each group follows, with the teams that follow it where `[admin_api]` is set.
    """
    answer = ask_daemon(config, socket, "explain", {"kind": _KINDS[kind], "name": name})
    if as_json or not isinstance(answer, dict):
        show_json(answer)
    else:
        _show(answer)
    if isinstance(answer, dict) and answer["state"] == "unknown":
        sys.exit(Exit.TROUBLE)


def _show(answer: JsonObject) -> None:
    known = "" if answer.get("id") is None else f" (here {answer['id']}, in TFE {answer['tfe_id']})"
    click.echo(f"{answer['kind']} {cell(answer['name'])}{known}: {answer['state']}")
    for one in rows_of(answer, "findings"):
        _tell("  ", one)
    if isinstance(members := answer.get("members"), dict):
        click.echo(f"  members: {members['wanted']} wanted, {members['in_tfe']} in TFE")
    for one in rows_of(answer, "teams"):
        _tell("  ", one)
    for one in rows_of(answer, "groups"):
        part = "" if one["part"] is None else f", part {cell(one['part'])}"
        click.echo(f"  group {cell(one['group'])}{part}:")
        _tell("    ", one)


def _tell(indent: str, one: JsonObject) -> None:
    click.echo(f"{indent}{one['why']}: {cell(one['cause'])}")
    if one["cure"] != "nothing":
        click.echo(f"{indent}  next: {cell(one['cure'])}")
