"""`scim-relay support-bundle`: what a supporter needs in one file, without names or tokens."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from relay.cli.asking import json_option, show_fields, show_json
from relay.cli.config import config_option, settings_of

if TYPE_CHECKING:
    from relay.rules.types import JsonObject
    from relay.settings import Settings

_PATIENCE_S: Final = 60.0


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@config_option
@json_option
@click.option("--with-names", is_flag=True, help="Keep the names of people, groups and teams.")
def support_bundle(file: Path, config: Path | None, as_json: bool, with_names: bool) -> None:
    """Write FILE, a tar.gz with what a supporter needs; it must not be there yet.

    Versions, the configuration, what `check`, `status`, `shape` and `holds list` say, changes that
    are parked or wait, attempts that failed, metrics and the last log lines. Tokens and hashes are
    never in it. Names are pseudonyms, and of texts only common words are kept, unless
    `--with-names` is given. While the relay is down its database is read instead.
    """
    from relay.clock import SystemClock
    from relay.ops.packing import pack

    settings, now = settings_of(config), SystemClock().wall()
    parts, running = _collected(settings, now, with_names=with_names)
    size = pack(file, parts, _readme(running=running, with_names=with_names), now)
    answer: JsonObject = {
        "file": str(file),
        "bytes": size,
        "relay": "running" if running else "down",
        "names": "kept" if with_names else "left out",
    }
    show_json(answer) if as_json else show_fields(answer)


def _collected(settings: Settings, now: float, *, with_names: bool) -> tuple[JsonObject, bool]:
    """The parts, and whether a relay answered."""
    from relay.ops.client import ask
    from relay.ops.errors import DaemonUnreachable, OtherVersion
    from relay.orders.bundling import configuration, versions
    from relay.rules.redacting import Redactor
    from relay.store.operate import support

    question: JsonObject = {"with_names": with_names}
    try:
        told = asyncio.run(ask(settings.control_socket, "support", question, _PATIENCE_S))
    except (DaemonUnreachable, OtherVersion):
        found, seed = support.alone(settings.store.path, now)
        redactor = None if with_names else Redactor(seed)
        parts: JsonObject = {
            "database": found if redactor is None else redactor.redacted(found),
            "versions": versions(),
            "configuration": configuration(settings, redactor),
        }
        return {**parts, "check": _checked(settings, with_names=with_names)}, False
    assert isinstance(told, dict)
    return {**told, "check": _checked(settings, with_names=with_names)}, True


def _checked(settings: Settings, *, with_names: bool) -> JsonObject:
    """What `check` says without asking Terraform Enterprise anything."""
    from relay.cli.check import examine
    from relay.rules.redacting import scrubbed

    return {
        one.what: f"{one.level}: {one.detail if with_names else scrubbed(one.detail)}"
        for one in examine(settings, offline=True)
    }


def _readme(*, running: bool, with_names: bool) -> str:
    """What the bundle is, for whoever opens it."""
    source = "by a running relay" if running else "from the files of a relay that is down"
    names = (
        "It names people, groups and teams: handle it as what it is."
        if with_names
        else "People, groups and teams are pseudonyms (~ and ten digits), the same for the same"
        " name; of texts only common words are kept."
    )
    return f"A support bundle of tfe-scim-relay, collected {source}.\n{names}\n"
