"""Holds: named reasons why nothing may be sent; rows, so that they survive a restart."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relay.store.file.engine import Connection
    from relay.store.file.transaction import Transaction


class HoldName(StrEnum):
    """The holds of the design's table."""

    THROTTLED = "throttled"
    PAUSED = "paused"
    TOKEN = "token"  # noqa: S105 - a hold's name
    DOWN = "down"
    FOREIGN = "foreign"
    GUARD = "guard"  # stops some effects only, and is derived from them (`guarded`)
    OPERATOR = "operator"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold that stands.

    Attributes:
        name: which.
        since: seconds since the epoch.
        until: when it ends by itself, or None.
        reason: what was seen, for the operator.
    """

    name: HoldName
    since: float
    until: float | None
    reason: str


def guarded(connection: Connection) -> list[Hold]:
    """The guard's hold, one for each reason: derived from the effects that wait for an operator."""
    trips = dict(connection.execute("SELECT 'budget of ' || connection, reason FROM trip"))
    return [
        Hold(HoldName.GUARD, since, None, f"{trips.get(why, 'waits')}: {why} ({count} held)")
        for why, since, count in connection.execute(
            "SELECT held_by, min(held_at), count(*) FROM effect WHERE held_by IS NOT NULL"
            " GROUP BY held_by ORDER BY 2"
        )
    ]


def raise_hold(tx: Transaction, name: HoldName, reason: str, until: float | None = None) -> bool:
    """Raise a hold, or prolong it, never shorten it; True when it did not stand before."""
    stood = tx.one("SELECT since, until FROM hold WHERE name = ?", (name.value,))
    since, known = stood or (tx.now, None)
    if until is not None and known is not None:
        until = max(until, known)  # answers to what was under way come in any order
    tx.run(
        "INSERT INTO hold (name, since, until, reason) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET until = excluded.until, reason = excluded.reason",
        (name.value, tx.now, until, reason),
    )
    tx.outbox.holds.append((name, Hold(name, since, until, reason)))
    if not stood:
        ordered = name is HoldName.OPERATOR and ": " in reason
        who, why = (reason, None) if ordered else ("relay", reason)
        tx.audit("hold raised", who, what={"hold": name.value}, detail=why)
        tx.outbox.counted.append(("holds", name.value))
    return stood is None


def lift(tx: Transaction, name: HoldName, actor: str = "relay") -> bool:
    """Lift a hold; True when it stood."""
    stood = bool(tx.run("DELETE FROM hold WHERE name = ?", (name.value,)))
    if stood:
        tx.audit("hold lifted", actor, what={"hold": name.value})
        tx.outbox.work = True
    tx.outbox.holds.append((name, None))
    return stood


def standing(tx: Transaction) -> list[Hold]:
    """All holds that stand, oldest first."""
    rows = tx.all("SELECT name, since, until, reason FROM hold ORDER BY since, name")
    return [Hold(HoldName(name), since, until, reason) for name, since, until, reason in rows]
