"""`scim-relay drain`: take no more writes, deliver what is there, and tell when all is done."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

import click

from relay.cli.asking import ask_daemon, json_option, show_fields, show_json, socket_option
from relay.cli.config import config_option
from relay.cli.durations import DURATION
from relay.cli.exits import Exit
from relay.cli.holding import reason_option

if TYPE_CHECKING:
    from pathlib import Path

    from relay.rules.types import JsonObject

_LOOK_S: Final = 0.5


@click.command()
@config_option
@socket_option
@json_option
@reason_option
@click.option(
    "--timeout", type=DURATION, default="10m", show_default=True, help="Longest wait; 0s: none."
)
@click.option("--end", is_flag=True, help="Take writes again.")
def drain(
    config: Path | None,
    *,
    socket: str | None,
    as_json: bool,
    reason: str,
    timeout: float,
    end: bool,
) -> None:
    """Take no more writes and wait until everything accepted was delivered.

    Identity providers are answered 503 with `Retry-After` and come again; reads go on. It stays so,
    across restarts, until `drain --end`. Exit code 1: something is left, held or waiting.
    """
    question: JsonObject = {"reason": reason, "end": end}
    until = time.monotonic() + timeout
    while True:
        answer = ask_daemon(config, socket, "drain", question)
        assert isinstance(answer, dict)
        if not (answer["draining"] and answer["pending"]) or time.monotonic() >= until:
            break
        time.sleep(_LOOK_S)
        question = {"look": True}  # not ordered again: somebody else may have ended it since
    show_json(answer) if as_json else show_fields(answer)
    sys.exit(Exit.TROUBLE if answer["pending"] and not end else Exit.OK)
