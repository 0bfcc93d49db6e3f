"""Who holds a name in TFE that another resource wants (semantics S2, S3).

TFE's names are unique without regard to case, so a name that one change frees and a later one takes
must be freed first. A resource waits only for one that is *moving away*: whoever stays where it is
does not free anything, and TFE's own 409 then tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.rules.effects import Key
from relay.store.state import beneath, rows

if TYPE_CHECKING:
    from relay.store.file.transaction import Transaction
    from relay.store.state.rows import ResourceRow


def holder(tx: Transaction, resource: ResourceRow) -> int | None:
    """The resource whose confirmed or possible name in TFE is this one's desired name, or None.

    Possible is what an unsettled attempt may have brought, and what a creation is going to bring
    whose rename the guard holds: such a creation waits for that name, not for the desired one.
    """
    if not resource.wanted:
        return None
    # Only while delivering this resource would claim a name in TFE: its creation, or a rename.
    claims, name = Key.NAME, resource.name_key
    if not resource.c_exists:
        claims, held = Key.EXISTS, before_held(tx, resource)
        name = name if held is None else held.casefold()
    found: int | None = tx.value(
        "SELECT h.id FROM effect e JOIN (SELECT id FROM resource WHERE kind = ?1 AND id <> ?2"
        " AND c_name_key = ?3 AND c_exists = 1 AND (name_key <> ?3 OR state <> 'live')"
        " UNION ALL SELECT id FROM resource WHERE kind = ?1 AND id <> ?2 AND sent_name_key = ?3"
        " AND (name_key <> ?3 OR state <> 'live')"
        " UNION ALL SELECT id FROM resource r WHERE kind = ?1 AND id <> ?2"
        " AND reserved_name_key = ?3 AND c_exists = 0 AND (name_key <> ?3 OR state <> 'live')"
        " AND EXISTS"
        " (SELECT 1 FROM effect x WHERE x.resource = r.id AND x.key = -1 AND x.state = 'held')) h"
        " WHERE e.resource = ?2 AND e.key = ?4 AND e.state = 'open' LIMIT 1",
        (resource.kind, resource.id, name, int(claims)),
    )
    return found


def given_to(tx: Transaction, resource: ResourceRow, name: str) -> ResourceRow | None:
    """Another than this one who has a name in TFE for good: it is its own, and nothing is owed."""
    row = tx.value(
        "SELECT id FROM resource r WHERE kind = ?1 AND c_name_key = ?2 AND c_exists = 1"
        " AND name_key = ?2 AND state = 'live' AND id <> ?3 AND NOT EXISTS (SELECT 1 FROM effect"
        " WHERE resource = r.id AND key = -1 AND state <> 'parked') LIMIT 1",
        (resource.kind, name.casefold(), resource.id),
    )
    return None if row is None else rows.by_row(tx, row)


def before_held(tx: Transaction, resource: ResourceRow) -> str | None:
    """The name that a creation brings to TFE while the guard holds its rename; None without one."""
    if resource.c_exists:
        return None
    name = beneath.held(tx, resource.type, resource.id, Key.NAME)
    return None if name is None else str(name["v"])


def cycle(tx: Transaction, resource: int) -> list[int]:
    """The resources that wait for each other's names in a ring with this one; empty if none do.

    Whoever waits for a name that is free by now is in no ring: it looks again soon.
    """
    ring = [resource]
    while True:
        behind = tx.value("SELECT behind FROM lane WHERE resource = ?", (ring[-1],))
        if behind is None or holder(tx, rows.by_row(tx, ring[-1])) != behind:
            return []
        if behind == resource:
            return ring
        if behind in ring:
            return []
        ring.append(behind)


def breaker(tx: Transaction, ring: list[int]) -> int:
    """Who of a ring of names goes first, by way of a temporary name: the oldest that TFE has (S3).

    A creation takes no detour, it would be refused.
    """
    marks = ",".join("?" * len(ring))
    found: int = tx.value(
        "SELECT l.resource FROM lane l JOIN resource r ON r.id = l.resource"
        f" WHERE l.resource IN ({marks}) ORDER BY r.c_exists DESC, l.first LIMIT 1",
        ring,
    )
    return found
