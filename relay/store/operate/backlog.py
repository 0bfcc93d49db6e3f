"""What waits, by kind: counted row by row, so asked the more seldom the longer it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from relay.store.file.engine import Connection

NEWEST: Final = 10_000
"""Changes looked at, from the newest on, for the newest that is delivered."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits.

    Attributes:
        pending: by kind, how many changes, and when the oldest was accepted.
        unbound: by kind, resources that have no id of TFE's yet.
        overflowed: groups that are held in parts.
        delivered_at: when the newest of the delivered changes was accepted, or None.
    """

    pending: dict[str, tuple[int, float]]
    unbound: dict[str, int]
    overflowed: int
    delivered_at: float | None


_PENDING: Final = (
    "SELECT r.kind, count(*), min(c.at) FROM change c INDEXED BY change_oldest"
    " JOIN resource r ON r.id = c.resource WHERE c.state = 'pending' GROUP BY r.kind"
)
UNBOUND: Final = (
    # Who has no id of TFE's has a lane: its creation is pending. Lanes first: by itself SQLite
    # begins with everybody there is.
    "SELECT r.kind, count(*) FROM lane l CROSS JOIN resource r ON r.id = l.resource"
    " WHERE r.target_id IS NULL AND r.state = 'live' GROUP BY r.kind"
)
_OVERFLOWED: Final = (
    "SELECT count(DISTINCT part_of) FROM resource INDEXED BY resource_part"
    " WHERE part_of IS NOT NULL AND state IN ('live', 'parked')"
)
_DELIVERED: Final = (
    "SELECT max(at) FROM change WHERE id > (SELECT ifnull(max(id), 0) FROM change) - ?"
    " AND state = 'delivered'"
)


def backlog(connection: Connection) -> Backlog:
    """Count it."""
    pending = {
        kind: (count, oldest) for kind, count, oldest in connection.execute(_PENDING).fetchall()
    }
    unbound = dict(connection.execute(UNBOUND).fetchall())
    (overflowed,) = connection.execute(_OVERFLOWED).fetchone()
    (delivered_at,) = connection.execute(_DELIVERED, (NEWEST,)).fetchone()
    return Backlog(pending, unbound, overflowed, delivered_at)
