"""What operators and metrics ask of the store: numbers and lists, from committed rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relay.store.holds import Hold, HoldName, guarded
from relay.store.transaction import from_json

if TYPE_CHECKING:
    from relay.rules.types import JsonObject
    from relay.store.engine import Connection


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How things stand.

    Attributes:
        counters: the conservation counters: accepted = the sum of the ends plus pending.
        lanes: lanes by state.
        owed: revocations accepted and not yet in TFE, held ones included.
        oldest_owed_at: when the oldest of them was accepted, seconds since the epoch, or None.
        oldest_pending_at: when the oldest pending change was accepted, or None.
        held: effects that wait for an operator's approval.
        holds: all that stand, the guard's last.
        users: live users.
        groups: live groups.
        imported: the import's state as JSON, or None before it began.
    """

    counters: dict[str, int]
    lanes: dict[str, int]
    owed: int
    oldest_owed_at: float | None
    oldest_pending_at: float | None
    held: int
    holds: tuple[Hold, ...]
    users: int
    groups: int
    imported: JsonObject | None


def snapshot(connection: Connection) -> Snapshot:
    """Read it all in one consistent view."""
    connection.execute("BEGIN")
    try:
        return _snapshot(connection)
    finally:
        connection.execute("COMMIT")


def _snapshot(connection: Connection) -> Snapshot:
    def value(sql: str) -> Any:
        row = connection.execute(sql).fetchone()
        return None if row is None else row[0]

    live = "SELECT count(*) FROM resource WHERE state = 'live' AND kind = "
    return Snapshot(
        counters=dict(connection.execute("SELECT name, value FROM counter")),
        lanes=dict(connection.execute("SELECT state, count(*) FROM lane GROUP BY state")),
        owed=value("SELECT count(*) FROM effect WHERE revokes = 1 AND state <> 'parked'"),
        oldest_owed_at=value(
            "SELECT min(opened) FROM effect WHERE revokes = 1 AND state <> 'parked'"
        ),
        oldest_pending_at=value(
            "SELECT at FROM change WHERE state = 'pending' ORDER BY id LIMIT 1"
        ),
        held=value("SELECT count(*) FROM effect WHERE held_by IS NOT NULL"),
        holds=(
            *(
                Hold(HoldName(name), since, until, reason)
                for name, since, until, reason in connection.execute(
                    "SELECT name, since, until, reason FROM hold ORDER BY since, name"
                )
            ),
            *guarded(connection),
        ),
        users=value(live + "'User'"),
        groups=value(live + "'Group'"),
        imported=from_json(value("SELECT value FROM meta WHERE key = 'import'")),
    )
