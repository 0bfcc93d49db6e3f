"""Giving users and groups to another connection, and whose they are (decision 11).

Only `resource.given_to` moves: what is pending, held or parked stays what it is, its changes go on
being the connection's that made them, and the guard's ledger too. Parts go with their group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from relay.errors import Refused
from relay.rules.types import Kind
from relay.store.guarding.owning import OWNER
from relay.store.state import rows

if TYPE_CHECKING:
    from relay.rules.types import JsonObject
    from relay.store.file.engine import Connection
    from relay.store.file.transaction import Transaction

BATCH: Final = 500
"""Resources given in one transaction: accepting goes on between them."""


@dataclass(frozen=True, slots=True)
class Estate:
    """What is given: all of one owner's, or what the conditions mean, which are joined by *and*.

    Attributes:
        owner: whose it is now, or `NOBODY`.
        heir: whose it will be, or `NOBODY`.
        kind: users or groups only.
        name: a pattern that `userName` or `displayName` fits, with `*` and `?`, in any case.
        users: only these users, by id or `userName`.
        groups: only these groups, by id or `displayName`.
    """

    owner: str
    heir: str
    kind: Kind | None = None
    name: str | None = None
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """No condition is given."""
        return not (self.kind or self.name or self.users or self.groups)


@dataclass(frozen=True, slots=True)
class Given:
    """One resource that was given.

    Attributes:
        row: the store's key of it.
        kind: user or group.
        name: its `userName` or `displayName`.
        id: the id that answers carry.
    """

    row: int
    kind: str
    name: str
    id: str


def named(tx: Transaction, estate: Estate) -> list[int]:
    """The resources that are named one by one.

    Raises:
        Refused: one of them is not there, or not the owner's: none is given.
    """
    found = []
    for kind, names in ((Kind.USER, estate.users), (Kind.GROUP, estate.groups)):
        for name in names:
            resource = rows.by_id(tx, kind, name) or rows.live_by_name(tx, kind, name)
            if resource is None or resource.state == rows.GONE or resource.part_of is not None:
                raise Refused(404, f"no {kind} has the id or the {kind.name_attribute} {name!r}")
            if resource.owner != estate.owner:
                said = f"{resource.owner}'s, not {estate.owner}'s"
                raise Refused(409, f"the {kind} {name!r} is {said}; nothing was given")
            found.append(resource.id)
    return found


def give(
    tx: Transaction, estate: Estate, only: list[int], after: int, why: tuple[str, str]
) -> list[Given]:
    """Give the next batch; those of it, none when all are given.

    Who is named one by one is one batch, however many they are: all of them are given, or none.

    Args:
        tx: the transaction.
        estate: what is given.
        only: the rows that `named` found; empty for all that the other conditions mean.
        after: the last row of the batch before.
        why: who orders it, and the reason.
    """
    conditions = [f"{OWNER} = ?", "part_of IS NULL", "state <> 'gone'", "id > ?"]
    values: list[Any] = [estate.owner, after]
    if estate.kind is not None:
        conditions.append("kind = ?")
        values.append(estate.kind.value)
    if estate.name is not None:
        conditions.append("name_key GLOB ?")
        values.append(estate.name.casefold().replace("[", "[[]"))
    if only:
        conditions.append(f"id IN ({', '.join('?' * len(only))})")
        values += only
    found = tx.all(
        f"SELECT id, kind, name, public_id FROM resource WHERE {' AND '.join(conditions)}"
        " ORDER BY id LIMIT ?",
        [*values, len(only) or BATCH],
    )
    actor, reason = why
    for row, *_ in found:
        tx.run("UPDATE resource SET given_to = ? WHERE id = ?", (estate.heir, row))
        what: JsonObject = {"from": estate.owner, "to": estate.heir}
        tx.audit("transferred", actor, resource=row, what=what, reason=reason)
    return [Given(*one) for one in found]


def owned(connection: Connection) -> dict[str, dict[str, int]]:
    """How many live users and groups each owner has, `NOBODY` among them."""
    found: dict[str, dict[str, int]] = {}
    for owner, kind, count in connection.execute(
        f"SELECT {OWNER}, kind, count(*) FROM resource WHERE state = 'live' AND part_of IS NULL"
        " GROUP BY 1, 2 ORDER BY 1"
    ):
        found.setdefault(owner, {})[kind] = count
    return found
