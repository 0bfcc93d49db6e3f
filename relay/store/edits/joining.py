"""Memberships follow the life of their user: left out while it is parked, added once it exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.rules.effects import EffectState
from relay.store.guarding import guard
from relay.store.state import effects, lanes, rows

if TYPE_CHECKING:
    from relay.store.file.transaction import Transaction


def leave_out(tx: Transaction, user: int) -> None:
    """The user's creation was refused for good: no group waits for it, the rest is delivered.

    Nor is an operator asked about an addition that cannot be: what the guard holds is left out too.
    The roster's rows stay: they are what `join` adds when the user exists after all.
    """
    groups = tx.all(
        "SELECT e.resource FROM member m JOIN effect e"
        " ON e.resource = m.group_id AND e.key = m.user_id"
        " WHERE m.user_id = ? AND e.revokes = 0 AND e.state IN ('waiting', 'held')",
        (user,),
    )
    for (group,) in groups:
        closed = effects.close(tx, group, user)
        tx.audit("left out", "relay", resource=group, what={"member": user})
        effects.settle_changes(tx, group, [closed])
        lanes.renew(tx, rows.by_row(tx, group))


def join(tx: Transaction, user: int) -> None:
    """The user exists now: every membership that waited for it, or left it out, may be sent.

    What was left out passes the guard again: whatever was decided of it, it was not to be then.
    """
    tx.run("UPDATE effect SET state = 'open' WHERE key = ? AND state = 'waiting'", (user,))
    for (group,) in tx.all(
        "SELECT group_id FROM member WHERE user_id = ? AND desired = 1 AND confirmed = 0"
        " AND part = 0",
        (user,),
    ):
        resource = rows.by_row(tx, group)
        if not resource.wanted:
            continue
        if effects.find(tx, group, user) is None:
            change = resource.last_change
            effects.write(tx, group, user, change, base=0, revokes=False, state=EffectState.OPEN)
            guard.review_opened(tx, resource, effects.connection_of(tx, change), [user])
        lanes.renew(tx, resource)
