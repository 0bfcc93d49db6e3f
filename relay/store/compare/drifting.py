"""Where TFE is not what the directory has, and no pending change says why: drift.

Found by comparing what TFE holds (import, read back) with what is desired. After a restore an
operator decides who is right; `follow` makes the directory what TFE has, sending nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relay.rules.effects import FIELD_OF, Key, shadow_attribute
from relay.store.edits import removing
from relay.store.file.transaction import from_json, to_json
from relay.store.groups import reseating, seating
from relay.store.state import effects, lanes, rosters, rows

if TYPE_CHECKING:
    from relay.store.file.engine import Connection
    from relay.store.file.transaction import Transaction
    from relay.store.state.rows import ResourceRow

BATCH: Final = 500
"""Effects looked at in one transaction, so that accepting goes on between them."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One key in which TFE differs though nobody asked for it lately.

    Attributes:
        resource: the store's key.
        key: which of its keys.
        kind: User or Group.
        name: of the resource.
        member: the `userName` of the member that a roster's key means, or None.
        revokes: making TFE follow the directory would take access away.
    """

    resource: int
    key: int
    kind: str
    name: str
    member: str | None
    revokes: bool


START: Final = (0, -100)


def drifts(connection: Connection, after: tuple[int, int] = START) -> list[Drift]:
    """Drift in the order of resources and keys, behind `after`."""
    rows_found = connection.execute(
        "SELECT e.resource, e.key, r.kind, r.name, m.name, e.revokes, e.first, e.last"
        " FROM effect e JOIN resource r ON r.id = e.resource"
        " LEFT JOIN resource m ON m.id = e.key AND e.key > 0"
        " WHERE (e.resource, e.key) > (?, ?) AND e.state IN ('open', 'waiting')"
        " ORDER BY e.resource, e.key LIMIT ?",
        (*after, BATCH),
    ).fetchall()
    return [
        Drift(row[0], row[1], row[2], row[3], row[4], bool(row[5]))
        for row in rows_found
        if not _asked_for(connection, row[0], row[1], row[6], row[7])
    ]


def _asked_for(connection: Connection, resource: int, key: int, first: int, last: int) -> bool:
    """Whether a pending change wrote this very key."""
    pending = connection.execute(
        "SELECT writes FROM change WHERE resource = ? AND state = 'pending' AND id BETWEEN ? AND ?",
        (resource, first, last),
    )
    return any(key in effects.keys_written(from_json(writes)) for (writes,) in pending)


def follow(tx: Transaction, after: tuple[int, int], actor: str) -> tuple[int, int] | None:
    """Make the directory what TFE has, for one batch of keys behind `after`.

    Returns:
        Where the next batch begins, or None when there is none.
    """
    looked_at = tx.all(
        "SELECT resource, key FROM effect WHERE (resource, key) > (?, ?)"
        " AND state IN ('open', 'waiting') ORDER BY resource, key LIMIT ?",
        (*after, BATCH),
    )
    if not looked_at:
        return None
    touched = set()
    for one in drifts(tx.connection, after):
        _follow(tx, rows.by_row(tx, one.resource), one.key)
        tx.audit("followed", actor, resource=one.resource, what={"key": one.key})
        touched.add(one.resource)
    for resource in touched:
        effects.settle_changes(tx, resource)
        lanes.renew(tx, rows.by_row(tx, resource))
    last: tuple[int, int] = looked_at[-1]
    return last


def _follow(tx: Transaction, resource: ResourceRow, key: int) -> None:
    if key == Key.EXISTS:
        if resource.wanted and not resource.c_exists:
            seating.release(tx, resource)
            removing.gone(tx, resource)
    elif key > 0:
        _, confirmed = rosters.state(tx, resource.id, key)
        effects.close(tx, resource.id, key)
        reseating.put(tx, resource, key, "relay", want=bool(confirmed))
        rosters.forget_absent(tx, resource.id, key)
    elif resource.confirmed is not None:
        field = FIELD_OF[Key(key)]
        value = getattr(resource.confirmed, field)
        shadow = from_json(resource.shadow)
        shadow[shadow_attribute(resource.type, field)] = (
            [{"value": value, "primary": True}] if key == Key.EMAIL else value
        )
        rows.set_desired(tx, resource.id, field, value)
        tx.run("UPDATE resource SET shadow = ? WHERE id = ?", (to_json(shadow), resource.id))
        effects.close(tx, resource.id, key)
