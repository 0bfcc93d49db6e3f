"""Changes as operators list them: newest first, by what they are looking for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from relay.rules.types import JsonObject
    from relay.store.file.engine import Connection


@dataclass(frozen=True, slots=True)
class ChangeFilter:
    """Which changes are meant; conditions are joined by *and*, none means all.

    Attributes:
        state: in this state (`records.ChangeState`).
        kind: of a `User` or a `Group`.
        resource: of the resource with this id, `userName` or `displayName`.
        connection: of this IdP connection.
        before: accepted before this time, seconds since the epoch.
    """

    state: str | None = None
    kind: str | None = None
    resource: str | None = None
    connection: str | None = None
    before: float | None = None


EVERY: Final = ChangeFilter()

CHANGE: Final = (
    "c.id, c.at, c.connection, c.verb, r.kind, r.public_id, r.name, c.state, c.answered_by,"
    " c.settled_at, c.status, c.scim_type, c.detail"
)
CHANGE_KEYS: Final = (
    "id", "at", "connection", "verb", "kind", "resource", "name", "state", "answered_by",
    "settled_at", "status", "scim_type", "detail",
)  # fmt: skip


_CONDITIONS: Final = {
    "state": "c.state = ?",
    "kind": "r.kind = ?",
    "connection": "c.connection = ?",
    "before": "c.at < ?",
}
_RESOURCE: Final = (
    "c.resource IN (SELECT a.resource FROM alias a WHERE a.id = ?"
    " UNION SELECT n.id FROM resource n WHERE n.kind = 'User' AND n.name_key = ?"
    " UNION SELECT n.id FROM resource n WHERE n.kind = 'Group' AND n.name_key = ?)"
)


def changes(
    connection: Connection, wanted: ChangeFilter = EVERY, limit: int = 100
) -> list[JsonObject]:
    """The newest changes that a filter means."""
    where, values = _meant(wanted)
    rows = connection.execute(
        f"SELECT {CHANGE} {where} ORDER BY c.id DESC LIMIT ?", (*values, limit)
    )
    return [dict(zip(CHANGE_KEYS, row, strict=True)) for row in rows]


def numbers(connection: Connection, wanted: ChangeFilter) -> list[int]:
    """The numbers of all changes that a filter means, oldest first."""
    where, values = _meant(wanted)
    rows = connection.execute(f"SELECT c.id {where} ORDER BY c.id", values)
    return [number for (number,) in rows]


def _meant(wanted: ChangeFilter) -> tuple[str, list[object]]:
    conditions, values = ["1"], list[object]()
    for name, condition in _CONDITIONS.items():
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(condition)
            values.append(value)
    if wanted.resource is not None:
        folded = wanted.resource.casefold()
        conditions.append(_RESOURCE)
        values += [wanted.resource, folded, folded]
    where = f"FROM change c JOIN resource r ON r.id = c.resource WHERE {' AND '.join(conditions)}"
    return where, values


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


IDS: Final = 1_000
"""Users and groups in one answer."""


def ids(connection: Connection, after: int, *, minted: bool) -> list[JsonObject]:
    """Live users and groups with the id an identity provider holds and the one TFE has.

    Args:
        connection: a reader's.
        after: the `row` of the last one of the page before; 0 for the first.
        minted: only those whose id is not TFE's own: TFE answers it with 404.
    """
    cursor = connection.execute(
        "SELECT id AS row, kind, name, external_id, public_id AS id, target_id AS tfe_id"
        " FROM resource WHERE id > ? AND state = 'live' AND part_of IS NULL"
        " AND (NOT ? OR public_id IS NOT target_id) ORDER BY id LIMIT ?",
        (after, minted, IDS),
    )
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, found, strict=True)) for found in cursor]


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
        "SELECT id, purpose, method, path, why, claimed_at, settled_at, verdict, status, detail"
        " FROM attempt WHERE resource = ? ORDER BY id DESC LIMIT 20",
        resource,
    )
