"""`scim-relay changes`: what became of accepted writes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from relay.cli.asking import (
    ORDER_S,
    ask_daemon,
    cell,
    json_option,
    show_fields,
    show_json,
    show_table,
    socket_option,
)
from relay.cli.config import config_option
from relay.cli.durations import DURATION
from relay.cli.exits import Exit
from relay.cli.holding import reason_option

if TYPE_CHECKING:
    from pathlib import Path

    from relay.rules.types import JsonObject

_STATES: Final = ("pending", "delivered", "refused", "parked", "dropped")
_COLUMNS: Final = ("change", "state", "connection", "verb", "kind", "name", "age_s", "reason")


@click.group()
def changes() -> None:
    """What became of accepted writes."""


def filter_options(command: click.decorators.FC) -> click.decorators.FC:
    """The conditions that pick changes; they are joined by *and*."""
    for option in (
        click.option("--older", "older_s", type=DURATION, help="Accepted longer ago, e.g. 15m."),
        click.option("--connection", help="Of this identity provider's connection."),
        click.option("--resource", help="Of the user or group with this id or name."),
        click.option("--kind", type=click.Choice(["User", "Group"]), help="Of this kind."),
        click.option("--state", type=click.Choice(_STATES), help="In this state."),
    ):
        command = option(command)
    return command


@changes.command(name="list")
@config_option
@socket_option
@json_option
@filter_options
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="At most so many.",
)
def list_(config: Path | None, socket: str | None, as_json: bool, **arguments: Any) -> None:
    """List changes, newest first."""
    answer = ask_daemon(config, socket, "changes/list", arguments)
    rows = [row for row in answer if isinstance(row, dict)] if isinstance(answer, list) else []
    if as_json:
        show_json(answer)
    elif rows:
        show_table(rows, _COLUMNS)
    else:
        click.echo("no changes")


@changes.command()
@click.argument("numbers", metavar="[CHANGE]...", nargs=-1, type=click.IntRange(min=1))
@config_option
@socket_option
@json_option
@filter_options
@reason_option
def retry(**options: Any) -> None:
    """Try parked changes again, and waiting ones at once: numbers, or a filter."""
    _order("retry", "retried", **options)


@changes.command()
@click.argument("numbers", metavar="[CHANGE]...", nargs=-1, type=click.IntRange(min=1))
@config_option
@socket_option
@json_option
@filter_options
@reason_option
def drop(**options: Any) -> None:
    """End parked or pending changes for good: numbers, or a filter.

    What they wrote and Terraform Enterprise has not taken is undone. This is the only end of a
    revocation that Terraform Enterprise refuses.
    """
    _order("drop", "dropped", **options)


def _order(
    verb: str,
    done: str,
    config: Path | None,
    socket: str | None,
    as_json: bool,
    numbers: tuple[int, ...],
    **arguments: Any,
) -> None:
    question: JsonObject = {**arguments, "changes": list(numbers)}
    answer = ask_daemon(config, socket, f"changes/{verb}", question, ORDER_S)
    if as_json or not isinstance(answer, dict):
        show_json(answer)
        return
    click.echo(f"{done}: {cell(answer[done])}")
    refused = answer["refused"]
    rows = [row for row in refused if isinstance(row, dict)] if isinstance(refused, list) else []
    if rows:
        show_table(rows, ("change", "reason"))
        sys.exit(Exit.TROUBLE)


@changes.command()
@click.argument("change", type=click.IntRange(min=1))
@config_option
@socket_option
@json_option
def show(change: int, config: Path | None, socket: str | None, as_json: bool) -> None:
    """Show one change with every attempt."""
    answer = ask_daemon(config, socket, "changes/show", {"change": change})
    if as_json or not isinstance(answer, dict):
        show_json(answer)
    else:
        show_fields(answer)
