"""`scim-relay reconcile`: compare TFE with what it confirmed, now, and bring it back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import click

from relay.cli.asking import (
    ask_daemon,
    json_option,
    show_fields,
    show_json,
    show_table,
    socket_option,
)
from relay.cli.config import config_option

if TYPE_CHECKING:
    from pathlib import Path

    from relay.rules.types import JsonObject

LOOK_S: Final = 0.2
COLUMNS: Final = ("kind", "name", "what", "detail")


@click.command()
@config_option
@socket_option
@json_option
@click.option("--dry-run", is_flag=True, help="Report only, whatever `reconcile.on_drift` says.")
@click.option("--last", is_flag=True, help="Show what the last comparison found; begin none.")
def reconcile(
    config: Path | None, socket: str | None, as_json: bool, dry_run: bool, last: bool
) -> None:
    """Compare Terraform Enterprise with what it confirmed, and bring it back where it differs.

    Waits for the end. Users and groups that nobody here knows are reported, never deleted.
    """
    if not last:
        ask_daemon(config, socket, "reconcile/begin", {"dry_run": dry_run})
    answer = _shown(config, socket)
    while answer["under_way"] and not last:
        time.sleep(LOOK_S)
        answer = _shown(config, socket)
    if as_json:
        show_json(answer)
        return
    differences = answer.pop("differences")
    show_fields(answer)
    if isinstance(differences, list) and differences:
        show_table([one for one in differences if isinstance(one, dict)], COLUMNS)


def _shown(config: Path | None, socket: str | None) -> JsonObject:
    answer = ask_daemon(config, socket, "reconcile/show", {})
    assert isinstance(answer, dict)
    return answer
