"""Lanes: one row for each resource that has something to send, and when it may.

`refresh` is the only place that decides a lane's state; it looks at the lane's effects through
indexes, so its cost does not grow with their number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from relay.rules.effects import Key
from relay.rules.types import Kind
from relay.store.state import names, rows

if TYPE_CHECKING:
    from relay.store.file.transaction import Transaction
    from relay.store.state.rows import ResourceRow

REST_S: Final = 0.25
"""A group's lane rests this long after its last change, so that folding can happen (A3)."""
WAIT_FOR_MEMBERS_S: Final = 5.0
"""It is sent after this long even though some of its members do not exist yet (A3)."""

URGENT: Final = 0
NORMAL: Final = 1
UNFOLDING: Final = 2
"""A refused plan that is being taken apart goes last (S7)."""


@dataclass(frozen=True, slots=True)
class _Standing:
    """What of a lane's row bears on its next state."""

    state: str
    since: float
    touched: float
    unfolding: int


@dataclass(frozen=True, slots=True)
class _Course:
    """What a lane does next."""

    state: str
    urgency: int
    first: int | None
    since: float
    due: float = 0.0
    behind: int | None = None


def touch(tx: Transaction, resource: ResourceRow, change: int) -> bool:
    """Note that a change was accepted for this resource; True if nothing else was to be sent."""
    lane = _standing(tx, resource.id)
    if lane is None:
        _enter(tx, resource, change)
        return True
    if lane.state == "sending":
        tx.run("UPDATE lane SET touched = ? WHERE resource = ?", (tx.now, resource.id))
    else:
        _set(tx, resource, replace(lane, touched=tx.now))
    return False


def refresh(tx: Transaction, resource: ResourceRow) -> None:
    """Bring a lane's state, urgency and due time in step with its effects; drop it when empty."""
    lane = _standing(tx, resource.id)
    if lane is not None and lane.state != "sending":
        _set(tx, resource, lane)


def _standing(tx: Transaction, resource: int) -> _Standing | None:
    row = tx.one(
        "SELECT state, since, touched, unfolding FROM lane WHERE resource = ?", (resource,)
    )
    return None if row is None else _Standing(*row)


def _enter(tx: Transaction, resource: ResourceRow, change: int) -> None:
    """Open a lane, unless its resource has nothing to send."""
    course = _course(tx, resource, _Standing("resting", tx.now, tx.now, 0))
    if course is None:
        return
    tx.run(
        "INSERT INTO lane (resource, state, urgency, first, since, touched, due, behind)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            resource.id,
            course.state,
            course.urgency,
            change if course.first is None else course.first,
            course.since,
            tx.now,
            course.due,
            course.behind,
        ),
    )
    _follow(tx, resource.id, course)


def _set(tx: Transaction, resource: ResourceRow, lane: _Standing) -> None:
    """Put an idle lane on its course."""
    course = _course(tx, resource, lane)
    if course is None:
        tx.run("DELETE FROM lane WHERE resource = ?", (resource.id,))
        wake_behind(tx, resource.id)
        return
    tx.run(
        "UPDATE lane SET state = ?, urgency = ?, first = ifnull(?, first), since = ?, touched = ?,"
        " due = ?, behind = ? WHERE resource = ?",
        (
            course.state,
            course.urgency,
            course.first,
            course.since,
            lane.touched,
            course.due,
            course.behind,
            resource.id,
        ),
    )
    if lane.unfolding and course.state != "blocked" and course.urgency != URGENT:
        _yield_while_unfolding(tx, resource.id)
    _follow(tx, resource.id, course)
    wake_behind(tx, resource.id)


def wake_behind(tx: Transaction, resource: int) -> None:
    """Whoever waited for a name that this resource does not have any more looks again.

    Whatever frees a name (an attempt that had no effect, a deletion that needs no request, a
    rejection) puts the lane of its resource on a new course, too.
    """
    for (behind,) in tx.all("SELECT resource FROM lane WHERE behind = ?", (resource,)):
        waiting = rows.by_row(tx, behind)
        if names.holder(tx, waiting) != resource:
            refresh(tx, waiting)


def _course(tx: Transaction, resource: ResourceRow, lane: _Standing) -> _Course | None:
    """What a lane does next; None if nothing is pending."""
    first = tx.value(
        "SELECT min(id) FROM change WHERE resource = ? AND state = 'pending'", (resource.id,)
    )
    sendable = _soonest(tx, resource.id)
    if sendable is None:
        # Nothing can be sent: gone when nothing is pending, else until something wakes it.
        return None if first is None else _Course("blocked", NORMAL, first, lane.since)
    # What has just become sendable may have company coming.
    since = max(tx.now, lane.since) if lane.state == "blocked" else lane.since
    holder = names.holder(tx, resource)
    beside = sendable if holder is None else _beside_name(tx, resource)
    soonest, revokes = beside or sendable
    urgent = revokes and bool(resource.c_exists or resource.target_id)
    urgency = URGENT if urgent else NORMAL
    if beside is None:
        return _Course("blocked", urgency, first, since, behind=holder)
    due = max(soonest, 0.0 if urgent else _rest(tx, resource, since, lane.touched))
    if due <= tx.now:
        return _Course("ready", urgency, first, since, due)
    return _Course("resting", urgency, first, since, due, holder)


def _follow(tx: Transaction, resource: int, course: _Course) -> None:
    """What else a lane's course asks for: delivery's attention, or the end of a ring of names."""
    if course.behind is not None:
        _break_ring(tx, resource)
    if course.state != "blocked":
        tx.outbox.work = True


def _yield_while_unfolding(tx: Transaction, resource: int) -> None:
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
    """In a ring of names the oldest lane goes first, by way of a temporary name (S3).

    One that TFE has, if there is one: a creation takes no detour, it would be refused.
    """
    ring = names.cycle(tx, resource)
    breaker = names.breaker(tx, ring) if ring else None
    sendable = None if breaker is None else _soonest(tx, breaker)
    if sendable is None:
        return
    due, _ = sendable
    # A ring of which nothing is due yet (a back-off) is broken once it is.
    tx.run(
        "UPDATE lane SET state = ?, due = ? WHERE resource = ? AND state IN ('blocked', 'resting')",
        ("ready" if due <= tx.now else "resting", due, breaker),
    )
    tx.outbox.work = True


def _soonest(tx: Transaction, resource: int, but: int | None = None) -> tuple[float, bool] | None:
    """When something may be sent, 0 for now, and whether it takes access away.

    Nothing of a creation that the guard holds is: an edit above it would bring it along.
    """
    row = tx.one(
        "SELECT due, revokes FROM effect WHERE resource = ?1 AND state = 'open' AND key IS NOT ?2"
        " AND NOT EXISTS"
        " (SELECT 1 FROM effect h WHERE h.resource = ?1 AND h.key = 0 AND h.state = 'held')"
        " ORDER BY revokes DESC LIMIT 1",
        (resource, but),
    )
    if row is None:
        return None
    due, revokes = row
    if due <= tx.now:
        return 0.0, bool(revokes)
    due = tx.value(
        "SELECT min(due) FROM effect WHERE resource = ? AND state = 'open' AND key IS NOT ?",
        (resource, but),
    )
    return max(due, 0.0), bool(revokes)


def _beside_name(tx: Transaction, resource: ResourceRow) -> tuple[float, bool] | None:
    """The same for what a name that is not free does not stop: nothing of a creation."""
    return _soonest(tx, resource.id, Key.NAME) if resource.c_exists else None


def _rest(tx: Transaction, resource: ResourceRow, since: float, touched: float) -> float:
    """When a lane without a revocation may be sent (semantics A3)."""
    if resource.kind != Kind.GROUP.value:
        return 0.0
    waiting = tx.one(
        "SELECT 1 FROM effect WHERE resource = ? AND state = 'waiting' LIMIT 1", (resource.id,)
    )
    latest = since + WAIT_FOR_MEMBERS_S
    return latest if waiting else min(touched + REST_S, latest)
