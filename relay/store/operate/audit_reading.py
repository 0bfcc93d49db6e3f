"""The audit log as auditors read it: pages of entries, and what became of revocations."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

from relay.errors import StoreRefused
from relay.rules.audit_lines import to_line
from relay.rules.figures import quantile
from relay.store.file import audit_log, engine, identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from relay.rules.chain import Head
    from relay.rules.types import JsonObject
    from relay.store.file.engine import Connection

PAGE: Final = 1_000
"""Entries in one answer."""


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries are meant; conditions are joined by *and*, none means all.

    Attributes:
        since: from this time on, seconds since the epoch.
        until: before this time.
        connection: by this connection, or about one of its changes.
        event: of this event.
        resource: about the user or group with this id, `userName` or `displayName`.
    """

    since: float | None = None
    until: float | None = None
    connection: str | None = None
    event: str | None = None
    resource: str | None = None


@dataclass(frozen=True, slots=True)
class EntryPage:
    """Entries in their order, and what the first of all that are there follows on."""

    start: Head
    lines: list[JsonObject]


_CONDITIONS: Final = {
    "since": "at >= ?{0}",
    "until": "at < ?{0}",
    "event": "event = ?{0}",
    "connection": "(actor = ?{0} OR change IN (SELECT id FROM change WHERE connection = ?{0}))",
    "resource": (
        "resource IN (SELECT resource FROM alias WHERE id = ?{0} UNION SELECT id FROM resource"
        " WHERE kind IN ('User', 'Group') AND name_key = ?{1})"
    ),
}


def page(connection: Connection, wanted: EntryFilter, after: int) -> EntryPage:
    """The next entries that a filter means, after the one with this number."""
    conditions, values = ["id > ?1"], list[object]([after])
    for name, condition in _CONDITIONS.items():
        value = getattr(wanted, name)
        if value is None:
            continue
        conditions.append(condition.format(len(values) + 1, len(values) + 2))
        values.append(value)
        if name == "resource":
            values.append(value.casefold())
    rows = connection.execute(
        f"SELECT {audit_log.COLUMNS}, hash, detail, salt FROM audit"
        f" WHERE {' AND '.join(conditions)} ORDER BY id LIMIT {PAGE}",
        values,
    )
    lines = [to_line(kept) for kept in audit_log.kept(rows)]
    return EntryPage(audit_log.anchor(connection), lines)


def pages_of(path: Path, wanted: EntryFilter) -> Iterator[EntryPage]:
    """Pages of a file, a backup or a stopped relay's database; an empty one after the last entry.

    Raises:
        StoreRefused: it is no relay's database.
    """
    with closing(_opened(path)) as connection:
        after = 0
        while True:
            found = page(connection, wanted, after)
            yield found
            if found.lines:
                after = int(str(found.lines[-1]["entry"]))


def revocations_in(path: Path, since: float) -> JsonObject:
    """What became of revocations, from a file.

    Raises:
        StoreRefused: it is no relay's database.
    """
    with closing(_opened(path)) as connection:
        return revocations(connection, since)


def _opened(path: Path) -> Connection:
    if not path.exists():
        raise StoreRefused(f"cannot read {path}: there is no such file")
    try:
        connection = engine.open_reader(path)
        identity.recognise(connection, path)
        chained = audit_log.is_chained(connection)
    except engine.DatabaseError as error:
        raise StoreRefused(f"cannot read {path}: {error}") from error
    if not chained:
        raise StoreRefused(
            f"cannot read the audit log of {path}: an earlier release wrote it, and it is"
            " chained when this one is started on it"
        )
    return connection


_ASKED: Final = (
    "SELECT change, at FROM audit WHERE event = 'accepted' AND at >= ?"
    " AND what ->> '$.revokes' = 1 ORDER BY change"
)
_ENDED: Final = (
    "SELECT event, at, change, what FROM audit WHERE at >= ?"
    " AND event IN ('delivered', 'refused', 'parked', 'dropped', 'retried') ORDER BY id"
)
_OPEN: Final = "retried"
"""Parked, and tried again: what became of it is to be seen."""
_BECAME: Final = (_OPEN, "delivered", "refused", "parked", "dropped")
_OWED: Final = (
    "SELECT count(*) - count(held_by), count(held_by) FROM effect"
    " WHERE revokes = 1 AND state <> 'parked'"
)


def revocations(connection: Connection, since: float) -> JsonObject:
    """What became of changes accepted since then that take access away, and how fast.

    From the audit log alone, but for what is owed or held now. Each counts once, by its last word.
    """
    changes, asked = array("q"), array("d")
    for change, at in connection.execute(_ASKED, (since,)):
        changes.append(change)
        asked.append(at)
    became, took = bytearray(len(changes)), array("d", bytes(8 * len(changes)))
    for event, at, change, what in connection.execute(_ENDED, (since,)):
        for index in _among(changes, change, what):
            became[index] = _BECAME.index(event)
            took[index] = max(0.0, at - asked[index])
    delivered = _BECAME.index("delivered")
    ordered = sorted(s for s, how in zip(took, became, strict=True) if how == delivered)
    owed, held = connection.execute(_OWED).fetchone()
    return {
        "accepted": len(changes),
        **{event: became.count(how) for how, event in enumerate(_BECAME) if event != _OPEN},
        "p50_s": round(quantile(ordered, 0.5), 3),
        "p99_s": round(quantile(ordered, 0.99), 3),
        "max_s": round(ordered[-1], 3) if ordered else 0.0,
        "owed_now": owed,
        "held_now": held,
    }


def _among(changes: array[int], change: int | None, what: str | None) -> Iterator[int]:
    """Where the changes that an entry is about stand among those that were asked for."""
    spans = orjson.loads(what).get("changes") if what is not None else None
    for first, last in spans or [(change, change)]:
        index = bisect_left(changes, first or 0)
        while index < len(changes) and changes[index] <= (last or 0):
            yield index
            index += 1
