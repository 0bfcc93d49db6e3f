"""`scim-relay audit`: entries for auditors, the proof that none was altered, and reports."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relay.cli.asking import ask_daemon, json_option, show_fields, show_json, socket_option
from relay.cli.config import config_option
from relay.cli.exits import Exit
from relay.cli.moments import MOMENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from relay.rules.chain import Head
    from relay.rules.types import JsonObject
    from relay.store.operate.audit_reading import EntryPage

file_argument = click.argument("file", required=False, type=click.Path(path_type=Path))


@click.group()
def audit() -> None:
    """Who decided what, when, and which request to Terraform Enterprise delivered it."""


@audit.command()
@file_argument
@config_option
@socket_option
@click.option("--since", type=MOMENT, help="From this time on: 90d ago, or 2026-01-31T00:00:00Z.")
@click.option("--until", type=MOMENT, help="Before this time.")
@click.option(
    "--connection", help="By this connection; also of its changes, while history has them."
)
@click.option("--event", help="Of this event: accepted, delivered, parked, approved, ...")
@click.option("--resource", help="About the user or group with this id or name.")
def export(file: Path | None, config: Path | None, socket: str | None, **wanted: Any) -> None:
    """Print entries as JSON lines, oldest first; of FILE, or of the running relay without it.

    FILE is a backup, or the database of a relay that is stopped.
    """
    for page in _pages(file, config, socket, wanted):
        if not page.lines:
            return
        for line in page.lines:
            click.echo(json.dumps(line, ensure_ascii=False))


@audit.command()
@file_argument
@config_option
@socket_option
@json_option
@click.option(
    "--anchors",
    type=click.File("r", encoding="utf-8", errors="replace"),
    help="The relay's log as JSON lines, - for standard input: every head in it must be met.",
)
def verify(
    file: Path | None,
    config: Path | None,
    socket: str | None,
    as_json: bool,
    anchors: Iterable[str] | None,
) -> None:
    """Go along the whole chain, of FILE or of the running relay; names the first broken entry.

    With --anchors a chain that was rewritten or cut off at its end is found out, too: the relay
    logs where the chain stands once a minute.
    """
    from relay.rules.audit_lines import heads_in

    heads = None if anchors is None else heads_in(anchors)
    found = _verified(_pages(file, config, socket, {}), heads)
    if as_json:
        show_json(found)
    else:
        show_fields(found)
    if found["broken"] or found["not_as_logged"]:
        sys.exit(Exit.TROUBLE)


@audit.group()
def report() -> None:
    """Figures for auditors."""


@report.command()
@file_argument
@config_option
@socket_option
@json_option
@click.option("--since", type=MOMENT, required=True, help="Accepted since: 90d ago, or a date.")
def revocations(
    file: Path | None, config: Path | None, socket: str | None, as_json: bool, since: float
) -> None:
    """What became of changes that take access away: how many were delivered, and how fast.

    Times are from acceptance to Terraform Enterprise's own answer, in seconds. `owed now` and
    `held now` count all of them, whenever they were accepted.
    """
    if file is None:
        answer = ask_daemon(config, socket, "audit/revocations", {"since": since})
        assert isinstance(answer, dict)
    else:
        from relay.store.operate.audit_reading import revocations_in

        answer = revocations_in(file, since)
    show_json(answer) if as_json else show_fields(answer)


def _pages(
    file: Path | None, config: Path | None, socket: str | None, wanted: dict[str, Any]
) -> Iterator[EntryPage]:
    """Pages of entries, one at a time in memory; an empty one when there are no more yet."""
    from relay.orders.audit import entry_filter

    if file is not None:
        from relay.store.operate.audit_reading import pages_of

        yield from pages_of(file, entry_filter(wanted))
        return
    after = 0
    while True:
        page = _page_of(ask_daemon(config, socket, "audit/entries", {**wanted, "after": after}))
        yield page
        if page.lines:
            after = int(str(page.lines[-1]["entry"]))


def _page_of(answer: Any) -> EntryPage:
    from relay.rules.chain import Head
    from relay.store.operate.audit_reading import EntryPage

    start = answer["start"]
    return EntryPage(Head(start["entry"], bytes.fromhex(start["hash"])), answer["entries"])


def _verified(pages: Iterator[EntryPage], heads: Iterator[Head] | None) -> JsonObject:
    """Walk along all pages; what was found."""
    from relay.rules.audit_lines import Anchors, of_line
    from relay.rules.chain import Walk

    page = next(pages)
    walk = Walk(page.start)
    anchors = None if heads is None else Anchors(heads, page.start)
    lost: list[Any] = []
    while page.lines or (anchors is not None and anchors.ahead):
        walk.skip_pruned(page.start)
        for line in page.lines:
            lost += _lost_in_salvage(line)
            if walk.step(of_line(line)) and anchors is not None:
                anchors.look(walk.at)
        caught_up, page = not page.lines, next(pages)
        if caught_up and not page.lines:
            break  # the log may be ahead of a page, but not of two
    if anchors is not None and walk.broken is None:
        anchors.end()
    seen = None if anchors is None else anchors.broken
    return {
        "entries": walk.entries,
        "first": walk.start.number + 1,
        "last": walk.at.number,
        "head": walk.at.hash.hex(),
        "forgotten": walk.forgotten,
        "not_chained_yet": walk.unchained,
        "heads_in_log": None if anchors is None else anchors.checked + anchors.pruned,
        "broken": None if walk.broken is None else "entry {}: {}".format(*walk.broken),
        "not_as_logged": None if seen is None else "entry {}: {}".format(*seen),
        "lost_in_salvage": lost,
    }


def _lost_in_salvage(line: JsonObject) -> list[Any]:
    what = line["what"]
    if line["event"] != "salvaged" or not isinstance(what, dict):
        return []
    missing = what.get("missing")
    return missing if isinstance(missing, list) else []
