"""Accepting a DELETE, and forgetting what is gone from TFE.

A DELETE leaves a tombstone that keeps shadow and memberships until TFE has confirmed it (S1); its
lane is urgent. What never reached TFE is gone at once and costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.rules.effects import Key
from relay.rules.types import Kind
from relay.store.guarding import ledger
from relay.store.state import checking, effects, lanes, rosters, rows

if TYPE_CHECKING:
    from relay.store.file.transaction import Transaction
    from relay.store.state.rows import ResourceRow


def remove(tx: Transaction, resource: ResourceRow, change: int) -> None:
    """Note that the IdP deleted a resource."""
    tx.run(
        "UPDATE resource SET state = 'deleted', modified = ? WHERE id = ?", (tx.now, resource.id)
    )
    existence = effects.find(tx, resource.id, Key.EXISTS)
    in_doubt = existence is not None and bool(existence.unknown)
    ledger.forget_done(tx, resource.id)
    doubts = "DELETE FROM effect WHERE resource = ? AND key <> 0 RETURNING unknown"
    if any(unknown for (unknown,) in tx.all(doubts, (resource.id,))) and resource.c_exists:
        checking.mark_late(tx, resource.id)  # known again should the deletion be undone (K1)
    if resource.c_exists or in_doubt:
        effects.write(tx, resource.id, Key.EXISTS, change, base=True, revokes=True)
    else:
        effects.close(tx, resource.id, Key.EXISTS)
        gone(tx, resource)


def gone(tx: Transaction, resource: ResourceRow) -> None:
    """Forget a deleted resource that TFE no longer has; its ids stay known as gone."""
    rows.set_absent(tx, resource.id)
    tx.run("UPDATE resource SET state = 'gone', size = 0 WHERE id = ?", (resource.id,))
    tx.run("DELETE FROM effect WHERE resource = ?", (resource.id,))
    tx.run("DELETE FROM verification WHERE resource = ?", (resource.id,))
    tx.run("DELETE FROM member WHERE group_id = ?", (resource.id,))
    tx.run("DELETE FROM nest WHERE parent = ?1 OR child = ?1", (resource.id,))
    effects.settle_changes(tx, resource.id)
    if resource.type is Kind.USER:
        _leave_groups(tx, resource.id)


def _leave_groups(tx: Transaction, user: int) -> None:
    """Take a user who is gone out of every roster: TFE did the same (contract, DELETE)."""
    for group, desired, confirmed in tx.all(
        "SELECT group_id, desired, confirmed FROM member WHERE user_id = ?", (user,)
    ):
        tx.run(
            "UPDATE resource SET size = size - ?, c_size = c_size - ? WHERE id = ?",
            (desired, 1 if confirmed else 0, group),
        )
        tx.run("DELETE FROM member WHERE group_id = ? AND user_id = ?", (group, user))
        if confirmed:
            rosters.room_made(tx, group)
            lanes.refresh(tx, rows.by_row(tx, group))
        if (closed := effects.close(tx, group, user)) is not None:
            effects.settle_changes(tx, group, [closed])
            lanes.refresh(tx, rows.by_row(tx, group))
