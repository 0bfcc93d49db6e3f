"""History ends: settled changes and attempts past their age go, a bounded batch at a time (A8).

Semantics A4: no counter moves, and nothing goes that something alive may still look at: what is
pending, parked or held, and all that its resource was written since; the last change of every
resource that is there (the repeat window of A1); what an operator rejected. The audit log is not
history in this sense: it has a life of its own (relay.store.operate.audit_pruning).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from relay.store.file.transaction import Transaction

ROWS: Final = 500
"""Changes, and as many attempts, that one transaction looks at: some milliseconds."""
STRIDE_S: Final = 86_400.0
"""The horizon moves so far at a time: a clock set wrong does not take all history with it (L6)."""
NOTE: Final = "history"
"""Where the horizon stands, in `meta`: seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a pass through history has come: the last change and attempt it looked at."""

    change: int = 0
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Pruned:
    """What one batch did.

    Attributes:
        changes: rows that went.
        attempts: rows that went.
        at: where the next batch begins.
        done: everything that is old enough was looked at.
    """

    changes: int
    attempts: int
    at: Cursor
    done: bool


_ALIVE: Final = (
    " WHEN EXISTS (SELECT 1 FROM change p WHERE p.resource = {of}.resource"
    " AND p.state = 'pending' AND p.id <= {by})"
    " THEN 0 WHEN EXISTS (SELECT 1 FROM change p WHERE p.resource = {of}.resource"
    " AND p.state = 'parked' AND p.id <= {by})"
    " THEN 0 WHEN EXISTS (SELECT 1 FROM effect e WHERE e.resource = {of}.resource"
    " AND e.first <= {by}) THEN 0 ELSE 1 END"
)
"""Something of the same resource that is not over, and was there before this row or with it."""

_CHANGES: Final = (
    "SELECT c.id, c.at, CASE WHEN c.settled_at IS NULL OR c.settled_at >= ? THEN 0"
    " WHEN c.id >= r.last_change AND r.state <> 'gone' THEN 0"
    " WHEN EXISTS (SELECT 1 FROM rejected j WHERE j.resource = c.resource AND j.change = c.id)"
    f" THEN 0 {_ALIVE.format(of='c', by='c.id')}"
    " FROM change c JOIN resource r ON r.id = c.resource WHERE c.id > ? ORDER BY c.id LIMIT ?"
)

_ATTEMPTS: Final = (
    "SELECT a.id, a.claimed_at, CASE WHEN a.settled_at IS NULL OR a.settled_at >= ? THEN 0"
    " WHEN a.verdict IS NULL THEN 0"
    " WHEN EXISTS (SELECT 1 FROM verification v WHERE v.resource = a.resource) THEN 0"
    f" {_ALIVE.format(of='a', by='a.through')}"
    " FROM attempt a WHERE a.id > ? ORDER BY a.id LIMIT ?"
)


def horizon(tx: Transaction, keep_s: float, note: str = NOTE, table: str = "change") -> float:
    """Wall time before which history may go; it moves by a day at most.

    Args:
        tx: the transaction.
        keep_s: how long history is kept.
        note: where it stands, in `meta`.
        table: whose history.
    """
    reached = tx.value("SELECT CAST(value AS REAL) FROM meta WHERE key = ?", (note,))
    if reached is None:
        reached = tx.value(f"SELECT at FROM {table} ORDER BY id LIMIT 1")
    if reached is None:
        return tx.now - keep_s
    before: float = min(tx.now - keep_s, reached + STRIDE_S)
    tx.run(
        "INSERT INTO meta (key, value) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (note, repr(before)),
    )
    return before


def prune(tx: Transaction, before: float, after: Cursor) -> Pruned:
    """Let the next batch of what was settled before then go.

    Args:
        tx: the transaction.
        before: seconds since the epoch, by `horizon`.
        after: where the batch before this one ended.
    """
    changes, change, no_more_changes = _batch(tx, "change", _CHANGES, before, after.change)
    attempts, attempt, no_more_attempts = _batch(tx, "attempt", _ATTEMPTS, before, after.attempt)
    at = Cursor(change, attempt)
    return Pruned(changes, attempts, at, no_more_changes and no_more_attempts)


def _batch(
    tx: Transaction, table: str, query: str, before: float, after: int
) -> tuple[int, int, bool]:
    """Rows deleted, the last row looked at, and whether all that follow are too young."""
    found = tx.all(query, (before, after, ROWS))
    # Rows are in the order of time, but for those from a time when the clock was ahead.
    young = next((i for i, (_, at, _) in enumerate(found) if before <= at <= tx.now), len(found))
    old = [(row,) for row, _, goes in found[:young] if goes]
    tx.each(f"DELETE FROM {table} WHERE id = ?", old)
    last = found[young - 1][0] if young else after
    return len(old), last, young < ROWS
