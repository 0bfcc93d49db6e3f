"""A write that changes nothing has TFE asked, in an idle slot, whether it still has it so.

An identity provider that says again what it said before may have seen something we have not. What
TFE then shows is taken for confirmed, and delivery brings it back. Identity providers repeat
themselves on schedules, so nothing is asked that TFE told lately.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from relay.store.rows import ResourceRow
    from relay.store.transaction import Transaction

CHECK_AFTER_S: Final = 6 * 3600.0
"""TFE's word is believed for so long; the sweep of `reconcile.every` reads 200 in one request."""


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
