"""`scim-relay rebuild` and `import --rebind`: a TFE that was replaced, or changed without us."""

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
    follow(config, socket, {"reason": reason, "dry_run": dry_run})


@click.command(name="import")
@config_option
@socket_option
@click.option("--rebind", is_flag=True, help="Make the directory what Terraform Enterprise has.")
@click.option("--reason", help="Why; kept in the audit log. Needed with --rebind.")
def import_(config: Path | None, socket: str | None, rebind: bool, reason: str | None) -> None:
    """Tell how far Terraform Enterprise was read at first start; or take it over as it is now.

    With `--rebind`, while the hold `foreign` or `operator` stands, all of Terraform Enterprise is
    read: what it has is compared, bound and desired as it is, what it does not have is forgotten.
    Changes that are pending are delivered afterwards. Ids that identity providers hold stay valid
    for whoever is there under the same name.
    """
    if not rebind:
        answer = ask_daemon(config, socket, "status", {})
        assert isinstance(answer, dict)
        show_fields({"import": answer["import"], "users": answer["users"]})
        return
    if reason is None:
        raise click.UsageError("--reason is needed: why the directory follows Terraform Enterprise")
    follow(config, socket, {"reason": reason, "rebind": True})


def follow(config: Path | None, socket: str | None, arguments: JsonObject) -> None:
    """Order it, wait until all was read, and show what came of it."""
    answer = ask_daemon(config, socket, "rebuild", arguments)
    assert isinstance(answer, dict)
    while not (answer["done"] or arguments.get("dry_run")):
        time.sleep(LOOK_S)
        answer = ask_daemon(config, socket, "rebuild/show", {})
        assert isinstance(answer, dict)
    show_fields(answer)
