"""Lanes: one row for each resource that has something to send, and when it may.

`refresh` is the only place that decides a lane's state; it looks at the lane's effects through
indexes, so its cost does not grow with their number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.rules.types import Kind
from relay.store import names

if TYPE_CHECKING:
    from relay.store.rows import ResourceRow
    from relay.store.transaction import Transaction

REST_S: Final = 0.25
"""A group's lane rests this long after its last change, so that folding can happen (A3)."""
WAIT_FOR_MEMBERS_S: Final = 5.0
"""It is sent after this long even though some of its members do not exist yet (A3)."""

URGENT: Final = 0
NORMAL: Final = 1
UNFOLDING: Final = 2
"""A refused plan that is being taken apart goes last (S7)."""


def touch(tx: Transaction, resource: ResourceRow, change: int) -> None:
    """Note that a change was accepted for this resource, and refresh its lane."""
    tx.run(
        "INSERT INTO lane (resource, state, urgency, first, since, touched)"
        " VALUES (?, 'resting', 1, ?, ?, ?)"
        " ON CONFLICT (resource) DO UPDATE SET touched = excluded.touched",
        (resource.id, change, tx.now, tx.now),
    )
    refresh(tx, resource)


def refresh(tx: Transaction, resource: ResourceRow) -> None:
    """Bring a lane's state, urgency and due time in step with its effects; drop it when empty."""
    lane = tx.one("SELECT state, since, touched FROM lane WHERE resource = ?", (resource.id,))
    if lane is None or lane[0] == "sending":
        return
    first = tx.value(
        "SELECT min(id) FROM change WHERE resource = ? AND state = 'pending'", (resource.id,)
    )
    soonest = _soonest(tx, resource.id)
    if soonest is None:
        _idle(tx, resource.id, first)
        return
    since = lane[1]
    if lane[0] == "blocked":
        since = tx.now  # what has just become sendable may have company coming
        tx.run("UPDATE lane SET since = ? WHERE resource = ?", (since, resource.id))
    urgent = _revokes(tx, resource.id) and bool(resource.c_exists or resource.target_id)
    holder = names.holder(tx, resource)
    if holder is not None and _all_behind_name(tx, resource):
        _set(tx, resource.id, "blocked", urgent=urgent, first=first, behind=holder)
        _break_ring(tx, resource.id)
        return
    due = max(soonest, 0.0 if urgent else _rest(tx, resource, since, lane[2]))
    state = "ready" if due <= tx.now else "resting"
    _set(tx, resource.id, state, urgent=urgent, first=first, due=due, behind=holder)
    if not urgent:
        _yield_while_unfolding(tx, resource.id)
    tx.outbox.work = True


def _yield_while_unfolding(tx: Transaction, resource: int) -> None:
    if not tx.value("SELECT unfolding FROM lane WHERE resource = ?", (resource,)):
        return
    parts = tx.one(
        "SELECT 1 FROM effect WHERE resource = ? AND state = 'open' AND slice > 0 LIMIT 1",
        (resource,),
    )
    tx.run(
        "UPDATE lane SET unfolding = ?, urgency = ? WHERE resource = ?",
        (parts is not None, UNFOLDING if parts else NORMAL, resource),
    )


def renew(tx: Transaction, resource: ResourceRow) -> None:
    """Refresh a lane; one that is gone comes back if effects were opened without a new change."""
    if tx.one("SELECT 1 FROM lane WHERE resource = ?", (resource.id,)) is not None:
        refresh(tx, resource)
    elif _soonest(tx, resource.id) is not None:
        touch(tx, resource, resource.last_change)


def _break_ring(tx: Transaction, resource: int) -> None:
    """In a ring of names the oldest lane goes first, by way of a temporary name (S3)."""
    ring = names.cycle(tx, resource)
    if ring:
        marks = ",".join("?" * len(ring))
        tx.run(
            f"UPDATE lane SET state = 'ready' WHERE state = 'blocked' AND resource ="
            f" (SELECT resource FROM lane WHERE resource IN ({marks}) ORDER BY first LIMIT 1)",
            ring,
        )
        tx.outbox.work = True


def _soonest(tx: Transaction, resource: int) -> float | None:
    row = tx.one(
        "SELECT due FROM effect WHERE resource = ? AND state = 'open' LIMIT 1", (resource,)
    )
    if row is None:
        return None
    if row[0] <= tx.now:
        return 0.0
    due: float = tx.value(
        "SELECT min(due) FROM effect WHERE resource = ? AND state = 'open'", (resource,)
    )
    return due


def _revokes(tx: Transaction, resource: int) -> bool:
    return (
        tx.one(
            "SELECT 1 FROM effect WHERE resource = ? AND state = 'open' AND revokes = 1 LIMIT 1",
            (resource,),
        )
        is not None
    )


def _all_behind_name(tx: Transaction, resource: ResourceRow) -> bool:
    """Whether a name that is not free stops everything: a creation, or nothing but a rename."""
    if not resource.c_exists:
        return True
    return (
        tx.one(
            "SELECT 1 FROM effect WHERE resource = ? AND state = 'open' AND key <> -1 LIMIT 1",
            (resource.id,),
        )
        is None
    )


def _rest(tx: Transaction, resource: ResourceRow, since: float, touched: float) -> float:
    """When a lane without a revocation may be sent (semantics A3)."""
    if resource.kind != Kind.GROUP.value:
        return 0.0
    waiting = tx.one(
        "SELECT 1 FROM effect WHERE resource = ? AND state = 'waiting' LIMIT 1", (resource.id,)
    )
    latest = since + WAIT_FOR_MEMBERS_S
    return latest if waiting else min(touched + REST_S, latest)


def _idle(tx: Transaction, resource: int, first: int | None) -> None:
    """Nothing can be sent: gone when nothing is pending, else blocked until something wakes it."""
    if first is None:
        tx.run("DELETE FROM lane WHERE resource = ?", (resource,))
    else:
        _set(tx, resource, "blocked", urgent=False, first=first)


def _set(
    tx: Transaction,
    resource: int,
    state: str,
    *,
    urgent: bool,
    first: int | None,
    due: float = 0.0,
    behind: int | None = None,
) -> None:
    tx.run(
        "UPDATE lane SET state = ?, urgency = ?, first = ifnull(?, first), due = ?, behind = ?"
        " WHERE resource = ?",
        (state, URGENT if urgent else NORMAL, first, due, behind, resource),
    )
