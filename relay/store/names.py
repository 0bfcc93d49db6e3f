"""Who holds a name in TFE that another resource wants (semantics S2, S3).

TFE's names are unique without regard to case, so a name that one change frees and a later one takes
must be freed first. A resource waits only for one that is *moving away*: whoever stays where it is
does not free anything, and TFE's own 409 then tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.rules.effects import Key

if TYPE_CHECKING:
    from relay.store.rows import ResourceRow
    from relay.store.transaction import Transaction


def holder(tx: Transaction, resource: ResourceRow) -> int | None:
    """The resource whose confirmed or possible name in TFE is this one's desired name, or None."""
    if not resource.wanted:
        return None
    # Only while delivering this resource would claim a name in TFE: its creation, or a rename.
    claims = Key.NAME if resource.c_exists else Key.EXISTS
    found: int | None = tx.value(
        "SELECT h.id FROM effect e JOIN (SELECT id FROM resource WHERE kind = ?1 AND id <> ?2"
        " AND c_name_key = ?3 AND c_exists = 1 AND (name_key <> ?3 OR state <> 'live')"
        " UNION ALL SELECT id FROM resource WHERE kind = ?1 AND id <> ?2 AND sent_name_key = ?3"
        " AND (name_key <> ?3 OR state <> 'live')) h"
        " WHERE e.resource = ?2 AND e.key = ?4 AND e.state = 'open' LIMIT 1",
        (resource.kind, resource.id, resource.name_key, int(claims)),
    )
    return found


def cycle(tx: Transaction, resource: int) -> list[int]:
    """The resources that wait for each other's names in a ring with this one; empty if none do."""
    ring = [resource]
    while True:
        behind = tx.value("SELECT behind FROM lane WHERE resource = ?", (ring[-1],))
        if behind is None:
            return []
        if behind == resource:
            return ring
        if behind in ring:
            return []
        ring.append(behind)
