"""`scim-relay status`: what a running relay is doing, in one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from relay.cli.asking import ask_daemon, json_option, show_fields, show_json, socket_option
from relay.cli.config import config_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@config_option
@socket_option
@json_option
def status(config: Path | None, socket: str | None, as_json: bool) -> None:
    """Show what a running relay is doing: queue, holds, owed revocations, rate."""
    answer = ask_daemon(config, socket, "status", {})
    if as_json or not isinstance(answer, dict):
        show_json(answer)
    else:
        show_fields(answer)
