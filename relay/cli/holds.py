"""`scim-relay holds`: what keeps changes from being sent, and deciding on what the guard holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from relay.cli.asking import (
    ORDER_S,
    ask_daemon,
    json_option,
    show_json,
    show_table,
    socket_option,
)
from relay.cli.config import config_option
from relay.cli.holding import reason_option

if TYPE_CHECKING:
    from pathlib import Path

    from relay.rules.types import Json, JsonObject

_HOLDS: Final = ("hold", "age_s", "reason", "cause", "cure")
_HELD: Final = ("change", "connection", "kind", "name", "what", "held_by", "age_s")
_DRIFT: Final = ("kind", "name", "what", "revokes")
_DIFFERS: Final = ("kind", "name", "what", "connection", "rejected_by", "reason", "age_s")


def filter_options(command: click.decorators.FC) -> click.decorators.FC:
    """The conditions that pick held effects; they are joined by *and*."""
    for option in (
        click.option("--change", type=click.IntRange(min=1), help="Written by this change."),
        click.option("--group", help="Of the group with this id or displayName."),
        click.option("--person", help="Of the user with this id or userName, memberships too."),
        click.option("--connection", help="Of this identity provider's connection."),
    ):
        command = option(command)
    return command


@click.group()
def holds() -> None:
    """What waits for an operator, and the decision on it."""


@holds.command(name="list")
@config_option
@socket_option
@json_option
@filter_options
def list_(config: Path | None, socket: str | None, as_json: bool, **filters: Any) -> None:
    """List all holds, each effect the guard holds, and where a rejection left a difference."""
    answer = ask_daemon(config, socket, "holds/list", dict(filters))
    if as_json or not isinstance(answer, dict):
        show_json(answer)
        return
    for title, name, columns in (
        ("holds", "holds", _HOLDS),
        ("held by the guard", "held", _HELD),
        ("drift: Terraform Enterprise differs and no pending change says why", "drift", _DRIFT),
        ("rejected: Terraform Enterprise and the identity provider differ", "differs", _DIFFERS),
    ):
        rows = rows_of(answer, name)
        if rows:
            click.echo(f"{title}:")
            show_table(rows, columns)
    if answer.get("comparing"):
        click.echo(f"not compared yet: {answer['comparing']}")
    if not any(rows_of(answer, name) for name in ("holds", "held", "drift", "differs")):
        click.echo("nothing is held")


def rows_of(answer: JsonObject, name: str) -> list[JsonObject]:
    """The rows of one part of an answer."""
    part = answer.get(name)
    return [row for row in part if isinstance(row, dict)] if isinstance(part, list) else []


@holds.command()
@config_option
@socket_option
@json_option
@filter_options
@click.option("--all", "all_", is_flag=True, help="Everything that is held.")
@reason_option
def approve(**options: Any) -> None:
    """Let what the guard holds go to Terraform Enterprise."""
    _decide("approve", "approved", **options)


@holds.command()
@config_option
@socket_option
@json_option
@filter_options
@click.option("--all", "all_", is_flag=True, help="Everything that is held.")
@reason_option
def reject(**options: Any) -> None:
    """Undo what the guard holds: Terraform Enterprise keeps what it has."""
    _decide("reject", "rejected", **options)


def _decide(
    verb: str,
    done: str,
    config: Path | None,
    socket: str | None,
    as_json: bool,
    all_: bool,
    **arguments: Any,
) -> None:
    answer: Json = ask_daemon(config, socket, f"holds/{verb}", {**arguments, "all": all_}, ORDER_S)
    if as_json or not isinstance(answer, dict):
        show_json(answer)
        return
    click.echo(f"{done}: {answer[done]}")
    show_table(rows_of(answer, "effects"), _HELD)
