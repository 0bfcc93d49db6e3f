"""`scim-relay rebuild`: make a TFE that was wiped or replaced match the directory."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import click

from relay.cli.asking import ask_daemon, show_fields, socket_option
from relay.cli.config import config_option

if TYPE_CHECKING:
    from pathlib import Path

    from relay.rules.types import JsonObject

LOOK_S: Final = 0.2


@click.command()
@config_option
@socket_option
@click.option("--reason", help="Why; kept in the audit log. Only a dry run needs none.")
@click.option("--dry-run", is_flag=True, help="Only tell how much would be created.")
def rebuild(config: Path | None, socket: str | None, reason: str | None, dry_run: bool) -> None:
    """Create everything again in a Terraform Enterprise that was wiped, restored or replaced.

    Works while the hold `foreign` stands, and ends it. All of TFE is read first: what exists
    already is compared and adopted, what nobody here knows is left alone and reported. Ids that
    identity providers hold stay valid. A relay that is interrupted goes on by itself.
    """
    if reason is None and not dry_run:
        raise click.UsageError("--reason is needed: why everything is created again")
    arguments: JsonObject = {"reason": reason, "dry_run": dry_run}
    answer = ask_daemon(config, socket, "rebuild", arguments)
    assert isinstance(answer, dict)
    while not (answer["done"] or dry_run):
        time.sleep(LOOK_S)
        answer = ask_daemon(config, socket, "rebuild/show", {})
        assert isinstance(answer, dict)
    show_fields(answer)
