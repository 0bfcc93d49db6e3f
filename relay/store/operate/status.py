"""What operators and metrics ask of the store: numbers and lists, from committed rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from relay.rules.overflow import near
from relay.store.file.transaction import from_json
from relay.store.state.holds import Hold, HoldName, guarded

if TYPE_CHECKING:
    from relay.rules.types import JsonObject
    from relay.store.file.engine import Connection


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How things stand.

    Attributes:
        counters: the conservation counters: accepted = the sum of the ends plus pending.
        owed: revocations accepted and not yet in TFE, held ones included; nothing is owed of what
            TFE never had.
        oldest_owed_at: when the oldest of them was accepted, seconds since the epoch, or None.
        oldest_pending_at: when the oldest pending change was accepted, or None.
        near_limit: groups that have nearly as many members as TFE takes, or have overflowed.
        held: effects that wait for an operator's approval.
        holds: all that stand, the guard's last.
        imported: the import's state as JSON, or None before it began.
        accepted_at: when the newest change was accepted, or None.
        tripped: connections whose losses the guard holds.
    """

    counters: dict[str, int]
    owed: int
    oldest_owed_at: float | None
    oldest_pending_at: float | None
    near_limit: int
    held: int
    holds: tuple[Hold, ...]
    imported: JsonObject | None
    accepted_at: float | None = None
    tripped: int = 0


def snapshot(connection: Connection, most: int) -> Snapshot:
    """Read it all in one consistent view."""
    connection.execute("BEGIN")
    try:
        return snapshot_in(connection, most)
    finally:
        connection.execute("COMMIT")


_NEAR: Final = (
    "SELECT count(*) FROM resource INDEXED BY resource_size"
    " WHERE kind = 'Group' AND state = 'live' AND part_of IS NULL AND size >= ?"
)

_OWED: Final = (
    # By itself SQLite would read every effect there is.
    "SELECT count(*), min(e.opened) FROM effect e INDEXED BY effect_owed"
    " JOIN resource r ON r.id = e.resource WHERE e.revokes = 1 AND e.state <> 'parked'"
    # Who was never created at TFE has no access there that could be owed (H2).
    " AND (r.c_exists OR r.target_id IS NOT NULL OR EXISTS (SELECT 1 FROM effect made"
    "  WHERE made.resource = e.resource AND made.key = 0 AND made.unknown))"
)


def snapshot_in(connection: Connection, most: int) -> Snapshot:
    """The same inside a transaction that is open already."""

    def value(sql: str) -> Any:
        row = connection.execute(sql).fetchone()
        return None if row is None else row[0]

    owed, oldest_owed_at = connection.execute(_OWED).fetchone()
    return Snapshot(
        counters=dict(connection.execute("SELECT name, value FROM counter")),
        owed=owed,
        oldest_owed_at=oldest_owed_at,
        oldest_pending_at=value(
            "SELECT at FROM change WHERE state = 'pending' ORDER BY id LIMIT 1"
        ),
        near_limit=connection.execute(_NEAR, (near(most),)).fetchone()[0],
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
        imported=from_json(value("SELECT value FROM meta WHERE key = 'import'")),
        accepted_at=value("SELECT at FROM change ORDER BY id DESC LIMIT 1"),
        tripped=value("SELECT count(*) FROM trip"),
    )


@dataclass(frozen=True, slots=True)
class PartOf:
    """A group of TFE that is a part of one larger than TFE takes, the first part included.

    Attributes:
        group: the name of the whole, as the IdP knows it.
        name: in TFE.
        members: desired in this part.
        refused: TFE refused to create it; its members get nothing until an operator decides.
    """

    group: str
    name: str
    members: int
    refused: bool = False


def parts(connection: Connection) -> list[PartOf]:
    """Every part of every overflowed group, in order."""
    rows = connection.execute(
        "WITH wholes AS (SELECT DISTINCT part_of AS id FROM resource"
        "  WHERE part_of IS NOT NULL AND state IN ('live', 'parked'))"
        " SELECT g.name, p.name, (SELECT count(*) FROM member m WHERE m.group_id = p.id"
        "  AND m.desired = 1 AND m.part = 0), p.state = 'parked'"
        " FROM wholes w JOIN resource g ON g.id = w.id JOIN resource p"
        "  ON (p.id = g.id OR p.part_of = g.id) AND p.state IN ('live', 'parked')"
        " ORDER BY g.id, ifnull(p.part_no, 1)"
    )
    return [PartOf(group, name, members, bool(refused)) for group, name, members, refused in rows]


@dataclass(frozen=True, slots=True)
class Census:
    """What has to be counted row by row: for who asks, not for what is watched.

    Attributes:
        users: live users.
        groups: live groups.
        lanes: lanes by state.
        refused: what TFE refused and is parked or owed.
    """

    users: int
    groups: int
    lanes: dict[str, int]
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """So many parked changes, or owed revocations, that TFE refused alike."""

    what: str
    kind: str
    status: int | None
    count: int


_REFUSED: Final = (
    "SELECT 'parked', r.kind, c.status, count(*) FROM change c INDEXED BY change_parked"
    " JOIN resource r ON r.id = c.resource WHERE c.state = 'parked' GROUP BY 2, 3"
    " UNION ALL SELECT 'owed', r.kind, json_extract(e.reason, '$.status') AS status, count(*)"
    " FROM effect e INDEXED BY effect_owed JOIN resource r ON r.id = e.resource"
    " WHERE e.revokes = 1 AND e.state <> 'parked' AND e.refusals > 0 GROUP BY 2, 3"
)


def census(connection: Connection) -> Census:
    """Count; a million rows take a tenth of a second."""
    live = dict(
        connection.execute(
            "SELECT kind, count(*) FROM resource WHERE state = 'live' AND part_of IS NULL"
            " GROUP BY kind"
        )
    )
    lanes = dict(connection.execute("SELECT state, count(*) FROM lane GROUP BY state"))
    refused = tuple(Refused(*row) for row in connection.execute(_REFUSED))
    return Census(live.get("User", 0), live.get("Group", 0), lanes, refused)
