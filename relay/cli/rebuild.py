"""`scim-relay rebuild`: make a TFE that was wiped or replaced match the directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from relay.cli.asking import ask_daemon, show_fields, socket_option
from relay.cli.config import config_option

if TYPE_CHECKING:
    from pathlib import Path

    from relay.rules.types import JsonObject


@click.command()
@config_option
@socket_option
@click.option("--reason", help="Why; kept in the audit log. Only a dry run needs none.")
@click.option("--dry-run", is_flag=True, help="Only tell how much would be created.")
def rebuild(config: Path | None, socket: str | None, reason: str | None, dry_run: bool) -> None:
    """Create everything again in a Terraform Enterprise that was wiped, restored or replaced.

    Works while the hold `foreign` stands, and ends it. What exists already is compared and adopted;
    ids that identity providers hold stay valid. Interrupted, it is simply typed again.
    """
    if reason is None and not dry_run:
        raise click.UsageError("--reason is needed: why everything is created again")
    arguments: JsonObject = {"reason": reason, "dry_run": dry_run}
    while True:
        answer = ask_daemon(config, socket, "rebuild", arguments)
        assert isinstance(answer, dict)
        show_fields(answer)
        if answer["done"] or dry_run:
            return
