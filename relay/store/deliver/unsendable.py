"""What no request can bring to TFE: parked as if TFE had refused it, or closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.rules.effects import Key
from relay.rules.types import Kind
from relay.store.deliver.parking import Refusal, refuse
from relay.store.state import effects, rosters, rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relay.store.file.transaction import Transaction
    from relay.store.state.rows import ResourceRow


def park_unplannable(tx: Transaction, resource: ResourceRow, why: str) -> None:
    """No legal request can be made of it: as if TFE had refused each of its keys."""
    part = [effect.key for effect in effects.unsettled(tx, resource.id) if effect.state == "open"]
    for key in part:
        refuse(tx, rows.by_row(tx, resource.id), [key], Refusal(400, why, "invalidValue"))


def close_unsendable(tx: Transaction, resource: ResourceRow, keys: Iterable[int]) -> None:
    """Close effects that TFE cannot be told (a group's `externalId` cannot be cleared)."""
    for key in keys:
        if key == Key.EXTERNAL_ID and resource.type is Kind.GROUP:
            effects.close(tx, resource.id, key)
    effects.settle_changes(tx, resource.id)


def close_absent(tx: Transaction, group: ResourceRow) -> None:
    """Close the removals from a group that TFE does not have: no request tells of them.

    They are left when a member leaves while the creation is under way, and that has no effect.
    """
    found = tx.all(
        "SELECT e.key FROM effect e JOIN member m ON m.group_id = e.resource AND m.user_id = e.key"
        " WHERE e.resource = ? AND e.key > 0 AND e.revokes = 1 AND e.state = 'open'"
        " AND m.confirmed = 0",
        (group.id,),
    )
    closed = [effects.close(tx, group.id, user) for (user,) in found]
    for (user,) in found:
        rosters.forget_absent(tx, group.id, user)
    effects.settle_changes(tx, group.id, closed)
