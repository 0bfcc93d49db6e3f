"""`scim-relay backup` and `scim-relay verify`: a copy of the queue, and what a copy is worth."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.cli.asking import ORDER_S, ask_daemon, json_option, show_fields, show_json, socket_option
from relay.cli.config import config_option
from relay.cli.exits import Exit

if TYPE_CHECKING:
    from relay.rules.types import JsonObject


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@config_option
@socket_option
@json_option
def backup(file: Path, config: Path | None, socket: str | None, as_json: bool) -> None:
    """Copy the database of the running relay to FILE, which must not be there yet.

    The relay goes on meanwhile. Whoever starts a relay on the copy finds it in the hold
    `restored`: nothing is sent before it was compared with Terraform Enterprise.
    """
    answer = ask_daemon(config, socket, "backup", {"file": str(file.absolute())}, ORDER_S)
    if as_json or not isinstance(answer, dict):
        show_json(answer)
    else:
        show_fields(answer)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def verify(file: Path, as_json: bool) -> None:
    """Read every page of FILE, a backup or the database of a relay that is stopped."""
    from relay.store.file.backing_up import verify as look

    found = look(file.resolve())
    shown: JsonObject = {
        "problems": list(found.problems),
        "changes": dict(found.counters),
        "users": found.users,
        "groups": found.groups,
    }
    if as_json:
        show_json(shown)
    else:
        show_fields(shown)
    if found.problems:
        sys.exit(Exit.TROUBLE)
