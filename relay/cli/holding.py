"""`scim-relay pause` and `scim-relay resume`: the holds that an operator raises and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from relay.cli.asking import ask_daemon, show_fields, socket_option
from relay.cli.config import config_option

if TYPE_CHECKING:
    from pathlib import Path

    from relay.rules.types import JsonObject

reason_option = click.option("--reason", required=True, help="Why; kept in the audit log.")


@click.command()
@config_option
@socket_option
@reason_option
def pause(config: Path | None, socket: str | None, reason: str) -> None:
    """Send nothing to Terraform Enterprise; accepting goes on."""
    show_fields(_answer(config, socket, "pause", {"reason": reason}))


@click.command()
@config_option
@socket_option
@reason_option
@click.option(
    "--hold",
    type=click.Choice(["operator", "foreign"]),
    default="operator",
    show_default=True,
    help="Which hold to end.",
)
def resume(config: Path | None, socket: str | None, reason: str, hold: str) -> None:
    """Go on sending: ends what `pause` began, or the hold on a TFE that was wiped or replaced."""
    show_fields(_answer(config, socket, "resume", {"reason": reason, "hold": hold}))


def _answer(
    config: Path | None, socket: str | None, route: str, arguments: dict[str, str]
) -> JsonObject:
    answer = ask_daemon(config, socket, route, dict(arguments))
    return dict(answer) if isinstance(answer, dict) else {}
