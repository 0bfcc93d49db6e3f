"""A write that changes nothing has TFE asked, in an idle slot, whether it still has it so.

An identity provider that says again what it said before may have seen something we have not. What
TFE then shows is taken for confirmed, and delivery brings it back. Identity providers repeat
themselves on schedules, so nothing is asked that TFE told lately.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from relay.store.file.transaction import Transaction
    from relay.store.state.rows import ResourceRow

CHECK_AFTER_S: Final = 6 * 3600.0
"""TFE's word is believed for so long; the sweep of `reconcile.every` reads 200 in one request."""


ROSTER_AFTER_S: Final = 300.0
"""Who leaves a group of several parts again has each part read of which TFE told before (K3)."""


LATE_S: Final = 60.0
"""TFE may execute a request this long after it was given up (`target.timeout`'s default)."""


def mark_late(tx: Transaction, resource: int) -> None:
    """Have a resource read back once nothing that was given up can be executed any more (K2)."""
    tx.run(
        "INSERT OR REPLACE INTO verification (resource, due) VALUES (?, ?)",
        (resource, tx.now + LATE_S),
    )


def mark_roster(tx: Transaction, group: int) -> None:
    """Have a group's roster read back, unless TFE told of it lately or does not have it."""
    tx.run(
        "INSERT OR IGNORE INTO verification (resource, due) SELECT id, ?1 FROM resource"
        " WHERE id = ?2 AND state = 'live' AND c_exists AND target_id IS NOT NULL"
        " AND ?1 - c_roster_at > ?3",
        (tx.now, group, ROSTER_AFTER_S),
    )
    tx.outbox.work = True


def mark(tx: Transaction, resource: ResourceRow) -> None:
    """Have a resource read back whose write changed nothing, unless TFE told of it lately."""
    if resource.target_id is None or not resource.c_exists or not resource.wanted:
        return
    told_at = tx.value("SELECT c_at FROM resource WHERE id = ?", (resource.id,))
    if tx.now - told_at <= CHECK_AFTER_S:
        return
    tx.run(
        "INSERT OR IGNORE INTO verification (resource, due) VALUES (?, ?)", (resource.id, tx.now)
    )
    tx.outbox.work = True
