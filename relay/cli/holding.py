"""`scim-relay pause` and `scim-relay resume`: the holds that an operator raises and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from relay.cli.asking import ORDER_S, ask_daemon, show_fields, socket_option
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
    type=click.Choice(["operator", "foreign", "restored"]),
    default="operator",
    show_default=True,
    help="Which hold to end.",
)
@click.option(
    "--keep",
    type=click.Choice(["target", "directory"]),
    help="For `restored`: who is right where both differ and no pending change says why.",
)
def resume(
    config: Path | None, socket: str | None, reason: str, hold: str, keep: str | None
) -> None:
    """Go on sending: ends what `pause` began, or a hold on a TFE or a database that was replaced.

    With `--hold restored --keep target` the directory becomes what Terraform Enterprise has, so
    that revocations made after the backup stay; with `--keep directory` Terraform Enterprise is
    brought back to the backup. Pending changes are delivered in both cases.
    """
    arguments: JsonObject = {"reason": reason, "hold": hold, "keep": keep}
    show_fields(_answer(config, socket, "resume", arguments))


def _answer(
    config: Path | None, socket: str | None, route: str, arguments: JsonObject
) -> JsonObject:
    answer = ask_daemon(config, socket, route, arguments, ORDER_S)
    return dict(answer) if isinstance(answer, dict) else {}
