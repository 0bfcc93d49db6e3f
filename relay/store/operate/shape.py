"""How old what waits is, in doubling columns: the one screen for an outage (Postfix's `qshape`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from relay.rules.types import JsonObject
    from relay.store.file.engine import Connection

MINUTES: Final = (5, 10, 20, 40, 80, 160, 320, 640, 1280)
"""Upper ends of the columns; what is older has one more."""

COLUMNS: Final = (*map(str, MINUTES), f"{MINUTES[-1]}+")

_COLUMN: Final = " ".join(
    f"WHEN ?1 - c.at < {60 * minutes} THEN {number}" for number, minutes in enumerate(MINUTES)
)
_SHAPE: Final = (
    "SELECT r.kind, CASE WHEN c.state = 'parked' THEN 'parked'"
    " WHEN l.state <> 'blocked' THEN l.state"
    " WHEN EXISTS (SELECT 1 FROM effect e WHERE e.resource = c.resource AND e.state = 'held')"
    " THEN 'held' ELSE 'blocked' END AS waits,"
    f" CASE {_COLUMN} ELSE {len(MINUTES)} END AS column, count(*)"
    " FROM (SELECT resource, at, state FROM change WHERE state = 'pending'"
    " UNION ALL SELECT resource, at, state FROM change WHERE state = 'parked') c"
    " JOIN resource r ON r.id = c.resource LEFT JOIN lane l ON l.resource = c.resource"
    " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
)


def shape(connection: Connection, now: float) -> list[JsonObject]:
    """One row for each kind and what its changes wait for: how many, in all and by age.

    Args:
        connection: a reader.
        now: seconds since the epoch.
    """
    rows: dict[tuple[str, str], JsonObject] = {}
    for kind, waits, column, count in connection.execute(_SHAPE, (now,)):
        empty: JsonObject = {"kind": kind, "waits": waits, "total": 0, **dict.fromkeys(COLUMNS, 0)}
        row = rows.setdefault((kind, waits), empty)
        row[COLUMNS[column]] = count
        row["total"] = sum(int(str(row[name])) for name in COLUMNS)
    return list(rows.values())
