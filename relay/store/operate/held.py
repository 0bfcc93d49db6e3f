"""What the guard holds, and where an operator's rejection left TFE and an IdP apart."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relay.store.file.engine import Connection


@dataclass(frozen=True, slots=True)
class Selection:
    """Which held effects are meant; conditions are joined by *and*, none means all.

    Attributes:
        connection: of this IdP connection.
        person: of the user that this id or `userName` names: suspension, deletion, memberships.
        group: of the group that this id or `displayName` names, and of its further parts.
        change: written last by this change.
    """

    connection: str | None = None
    person: str | None = None
    group: str | None = None
    change: int | None = None


BATCH: Final = 500
"""Effects decided on in one transaction, whole resources: accepting goes on between them."""


@dataclass(frozen=True, slots=True)
class Held:
    """One effect that waits for an operator.

    Attributes:
        resource: the store's key of its resource.
        key: which of its keys (`relay.rules.effects`).
        why: the guard's rule.
        at: since when, seconds since the epoch.
        change: the change that wrote it last.
        connection: whose change that is.
        kind: of the resource.
        name: of the resource.
        member: the `userName` of the member that a roster's key means, or None.
        revokes: 1 if it takes access away.
    """

    resource: int
    key: int
    why: str
    at: float
    change: int
    connection: str
    kind: str
    name: str
    member: str | None
    revokes: int


_NAMED: Final = (
    "SELECT a.resource FROM alias a WHERE a.id = ? UNION SELECT n.id FROM resource n"
    " WHERE n.kind = ? AND n.name_key = ?"
)


def held(connection: Connection, selection: Selection) -> list[Held]:
    """The held effects that a selection means, oldest first."""
    conditions, values = ["e.held_by IS NOT NULL"], list[Any]()
    if selection.connection is not None:
        conditions.append("c.connection = ?")
        values.append(selection.connection)
    if selection.change is not None:
        conditions.append("e.last = ?")
        values.append(selection.change)
    if selection.person is not None:
        person = (selection.person, "User", selection.person.casefold())
        conditions.append(f"(r.kind = 'User' AND r.id IN ({_NAMED}) OR e.key IN ({_NAMED}))")
        values += [*person, *person]
    if selection.group is not None:
        group = (selection.group, "Group", selection.group.casefold())
        conditions.append(f"r.kind = 'Group' AND (r.id IN ({_NAMED}) OR r.part_of IN ({_NAMED}))")
        values += [*group, *group]
    found = connection.execute(
        "SELECT e.resource, e.key, e.held_by, e.held_at, e.last, ifnull(c.connection, 'relay'),"
        " r.kind, r.name, m.name, e.revokes FROM effect e JOIN resource r ON r.id = e.resource"
        " LEFT JOIN change c ON c.id = e.last LEFT JOIN resource m ON m.id = e.key AND e.key > 0"
        f" WHERE {' AND '.join(conditions)} ORDER BY e.held_at, e.last, e.resource, e.key",
        values,
    )
    return [Held(*row) for row in found]


def batches(seen: Iterable[Held]) -> list[list[Held]]:
    """What was seen, in whole resources, about `BATCH` effects at a time."""
    found: list[list[Held]] = [[]]
    for _, one in groupby(sorted(seen, key=_place), key=lambda held: held.resource):
        if len(found[-1]) >= BATCH:
            found.append([])
        found[-1] += one
    return found


def _place(one: Held) -> tuple[int, int]:
    return one.resource, one.key


def rejected(connection: Connection, limit: int = 1000) -> list[dict[str, Any]]:
    """Where TFE and the IdP differ because an operator said no: newest first."""
    cursor = connection.execute(
        "SELECT r.kind, r.name, j.key, m.name AS member, j.connection, j.change, j.at, j.actor,"
        " j.reason FROM rejected j JOIN resource r ON r.id = j.resource"
        " LEFT JOIN resource m ON m.id = j.key AND j.key > 0 ORDER BY j.at DESC LIMIT ?",
        (limit,),
    )
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]
