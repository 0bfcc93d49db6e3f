"""Protected users and groups: whom no change may touch before an operator has seen it.

A name of the configuration is bound to whom it first means, so that a rename does not unprotect
(issue 4, *the guard*); whoever takes a protected name or address later is protected as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from relay.rules.types import Kind

if TYPE_CHECKING:
    from relay.rules.guard import GuardPolicy
    from relay.store.file.transaction import Transaction
    from relay.store.state.rows import ResourceRow


def configure(tx: Transaction, policy: GuardPolicy) -> None:
    """Take over which names are protected, and bind those that are there already."""
    wanted = [(Kind.GROUP.value, name) for name in policy.protected_groups]
    wanted += [(Kind.USER.value, name) for name in policy.protected_users]
    keys = {(kind, name.casefold()) for kind, name in wanted}
    for kind, name_key in tx.all("SELECT kind, name_key FROM protected"):
        if (kind, name_key) not in keys:
            tx.run("DELETE FROM protected WHERE kind = ? AND name_key = ?", (kind, name_key))
    tx.each(
        "INSERT OR IGNORE INTO protected (kind, name_key, name) VALUES (?, ?, ?)",
        [(kind, name.casefold(), name) for kind, name in wanted],
    )
    tx.run(
        "UPDATE protected SET resource = (SELECT id FROM resource r WHERE r.kind = protected.kind"
        " AND r.name_key = protected.name_key AND r.state = 'live') WHERE resource IS NULL"
    )


def protector(tx: Transaction, resource: ResourceRow, old_name: str | None = None) -> str | None:
    """The configured name that protects a resource, by what it is, was or becomes; or None."""
    found = tx.one(
        "SELECT name, name_key, resource FROM protected WHERE kind = ? AND"
        " (resource = ? OR name_key IN (?, ?, ?, ?, ?)) LIMIT 1",
        (
            resource.kind,
            resource.id,
            resource.name_key,
            (old_name or "").casefold(),
            (resource.email or "").casefold(),
            (resource.c_name or "").casefold(),
            (resource.c_email or "").casefold(),
        ),
    )
    if found is None:
        return None
    name: str = found[0]
    if found[2] is None:
        tx.run(
            "UPDATE protected SET resource = ? WHERE kind = ? AND name_key = ?",
            (resource.id, resource.kind, found[1]),
        )
    return name


@dataclass(frozen=True, slots=True)
class Touched:
    """A protected user whose membership is about to change.

    Attributes:
        user: the store's key of the user.
        name: the configured name.
        last: the change that wrote the membership last.
    """

    user: int
    name: str
    last: int


def members(tx: Transaction, group: ResourceRow) -> list[Touched]:
    """The protected users whose membership of a group is about to change, and is not held yet."""
    if group.type is not Kind.GROUP:
        return []
    found = tx.all(
        "SELECT p.resource, p.name, e.last FROM protected p JOIN effect e"
        " ON e.resource = ? AND e.key = p.resource WHERE p.kind = 'User'"
        " AND e.state IN ('open', 'waiting')",
        (group.id,),
    )
    return [Touched(*row) for row in found]
