"""`scim-relay erase`: nothing of a person is left in the database."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from relay.cli.asking import ask_daemon, json_option, show_fields, show_json, socket_option
from relay.cli.config import config_option
from relay.cli.exits import Exit
from relay.cli.holding import reason_option

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S: Final = 900.0
"""The file is written anew: that takes its time."""


@click.command()
@click.argument("user")
@config_option
@socket_option
@json_option
@reason_option
def erase(user: str, config: Path | None, socket: str | None, as_json: bool, reason: str) -> None:
    """Erase USER (id, userName or address), whom the identity provider has deleted already.

    Rows, the audit log's words about them, and what other rows quote go; the file is written anew
    and its log emptied, while writes wait. The audit log says that somebody was erased, by whom and
    why, and its chain still verifies. Backups and logs are yours to clean.
    """
    question = {"user": user, "reason": reason}
    answer = ask_daemon(config, socket, "erase", {**question}, PATIENCE_S)
    assert isinstance(answer, dict)
    show_json(answer) if as_json else show_fields(answer)
    if answer["still_mentioned"]:
        sys.exit(Exit.TROUBLE)
