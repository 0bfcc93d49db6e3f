"""What operators and metrics ask of the store: numbers and lists, from committed rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

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


CHANGE: Final = (
    "c.id, c.at, c.connection, c.verb, r.kind, r.public_id, r.name, c.state, c.answered_by,"
    " c.settled_at, c.status, c.scim_type, c.detail"
)
CHANGE_KEYS: Final = (
    "id", "at", "connection", "verb", "kind", "resource", "name", "state", "answered_by",
    "settled_at", "status", "scim_type", "detail",
)  # fmt: skip


def changes(
    connection: Connection, *, state: str | None = None, kind: str | None = None, limit: int = 100
) -> list[JsonObject]:
    """The newest changes, or those of one state or kind."""
    conditions, values = ["1"], list[object]()
    for condition, wanted in (("c.state = ?", state), ("r.kind = ?", kind)):
        if wanted is not None:
            conditions.append(condition)
            values.append(wanted)
    rows = connection.execute(
        f"SELECT {CHANGE} FROM change c JOIN resource r ON r.id = c.resource"
        f" WHERE {' AND '.join(conditions)} ORDER BY c.id DESC LIMIT ?",
        (*values, limit),
    )
    return [dict(zip(CHANGE_KEYS, row, strict=True)) for row in rows]


def change(connection: Connection, number: int) -> JsonObject | None:
    """One change with what is still open of its resource, and its resource's attempts."""
    row = connection.execute(
        f"SELECT {CHANGE}, c.resource FROM change c JOIN resource r ON r.id = c.resource"
        " WHERE c.id = ?",
        (number,),
    ).fetchone()
    if row is None:
        return None
    found: JsonObject = dict(zip(CHANGE_KEYS, row[:-1], strict=True))
    found["lane"] = _lane(connection, row[-1])
    found["open_effects"] = _effects(connection, row[-1])
    found["attempts"] = _attempts(connection, row[-1])
    return found


def _named(connection: Connection, sql: str, resource: int) -> list[JsonObject]:
    cursor = connection.execute(sql, (resource,))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _lane(connection: Connection, resource: int) -> JsonObject | None:
    lanes = _named(
        connection,
        "SELECT state, urgency, due, ask, doubt, behind, strikes FROM lane WHERE resource = ?",
        resource,
    )
    return lanes[0] if lanes else None


def _effects(connection: Connection, resource: int) -> list[Any]:
    return _named(
        connection,
        "SELECT key, first, last, revokes, state, unknown, refusals, due, reason FROM effect"
        " WHERE resource = ? ORDER BY key LIMIT 100",
        resource,
    )


def _attempts(connection: Connection, resource: int) -> list[Any]:
    return _named(
        connection,
        "SELECT id, purpose, method, path, claimed_at, settled_at, verdict, status, detail"
        " FROM attempt WHERE resource = ? ORDER BY id DESC LIMIT 20",
        resource,
    )
