"""What the commands that talk to the daemon share: asking, and showing the answer."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final

import click

from relay.cli.config import settings_of

if TYPE_CHECKING:
    from pathlib import Path

    from relay.rules.types import Json, JsonObject

json_option = click.option("--json", "as_json", is_flag=True, help="JSON, for programs.")


ORDER_S: Final = 900.0
"""So long an order is waited for: a backup, or a decision on tens of thousands, takes its time."""


def socket_option(command: click.decorators.FC) -> click.decorators.FC:
    """`--socket PATH`: the control socket itself, where the configuration cannot be read."""
    return click.option(
        "--socket",
        type=click.Path(),
        default=None,
        help="The control socket; otherwise as configured.",
    )(command)


def ask_daemon(
    config: Path | None,
    socket: str | None,
    route: str,
    arguments: JsonObject,
    timeout_s: float = 10.0,
) -> Json:
    """The answer of the running daemon to one question.

    Raises:
        SettingsError: neither a socket was given nor a configuration that names one.
        DaemonUnreachable: nobody answers.
        NotFound: what the arguments name does not exist.
    """
    from pathlib import Path

    from relay.ops.client import ask

    path = settings_of(config).control_socket if socket is None else Path(socket)
    return asyncio.run(ask(path, route, arguments, timeout_s))


def show_json(answer: Json) -> None:
    """One JSON document; an array becomes one object a line, so that it can be streamed."""
    for each in answer if isinstance(answer, list) else [answer]:
        click.echo(json.dumps(each, ensure_ascii=False))


def show_table(rows: list[JsonObject], columns: tuple[str, ...]) -> None:
    """Rows of an answer under their names, as wide as their content."""
    texts = [[cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *texts, strict=True)]
    for line in [list(columns), *texts]:
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def show_fields(answer: JsonObject, indent: int = 0) -> None:
    """An object as `name: value` lines, objects within it indented below their name."""
    for name, value in answer.items():
        label = f"{' ' * indent}{name.replace('_', ' ')}"
        match value:
            case dict() if value:
                click.echo(f"{label}:")
                show_fields(value, indent + 2)
            case [dict(), *_]:
                click.echo(f"{label}:")
                for each in value:
                    assert isinstance(each, dict)
                    texts = (f"{key}={cell(inner)}" for key, inner in each.items())
                    click.echo(f"{' ' * indent}  - {' '.join(texts)}")
            case _:
                click.echo(f"{label}: {cell(value)}")


def cell(value: Json) -> str:
    """A value on one line; nothing is `-`, control characters cannot reach the terminal."""
    match value:
        case None | "" | [] | {}:
            return "-"
        case str():
            return "".join(
                char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in value
            )
    return json.dumps(value, ensure_ascii=False)
