"""A database from a backup, or an older copy: nothing is sent before it was compared with TFE.

An import takes in what TFE has. What TFE has no more is in none of its pages: it is asked for by id
before an operator decides, or who was deleted since would be created again by the next comparison.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relay.rules.types import Kind
from relay.store.compare import adopting, importing
from relay.store.file.identity import RESTORED
from relay.store.state import holds, lanes, rows
from relay.store.state.holds import HoldName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relay.store.file.engine import Connection
    from relay.store.file.transaction import Transaction

SINCE: Final = "restored since"
"""In `meta` until everything was compared: wall time at which the hold was raised."""
BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class Unread:
    """What TFE confirmed once and no page named since the hold was raised."""

    resource: int
    kind: Kind
    target_id: str


def begin(tx: Transaction, reason: str) -> None:
    """Raise the hold and have TFE read anew, since what was confirmed since is not known here."""
    holds.raise_hold(tx, HoldName.RESTORED, reason)
    importing.begin_anew(tx)
    tx.run("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (SINCE, str(tx.now)))
    tx.run("DELETE FROM meta WHERE key = ?", (RESTORED,))


def compared(tx: Transaction) -> bool:
    """Whether TFE was read whole, and asked for what no page named."""
    unread = tx.one("SELECT 1 FROM meta WHERE key = ?", (SINCE,)) is not None
    return importing.state(tx).done and not unread


def unread(connection: Connection, after: int) -> Sequence[Unread]:
    """The next of what no page named, behind a row."""
    found = connection.execute(
        "SELECT id, kind, target_id FROM resource WHERE id > ? AND state = 'live' AND c_exists = 1"
        " AND target_id IS NOT NULL AND c_at < (SELECT CAST(value AS REAL) FROM meta"
        " WHERE key = ?) ORDER BY id LIMIT ?",
        (after, SINCE, BATCH),
    )
    return [Unread(row, Kind(kind), target_id) for row, kind, target_id in found]


def lost(tx: Transaction, one: Unread, began: float) -> None:
    """TFE does not have it any more: an operator decides whether it is created again."""
    resource = rows.by_row(tx, one.resource)
    if resource.target_id != one.target_id or not resource.c_exists:
        return
    if not importing.touched(tx, one.resource, began):
        adopting.absent(tx, one.resource)
        lanes.renew(tx, rows.by_row(tx, one.resource))


def end(tx: Transaction) -> None:
    """Everything was compared: an operator may decide."""
    tx.run("DELETE FROM meta WHERE key = ?", (SINCE,))
