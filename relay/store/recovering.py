"""At start: every attempt without a result has a dead owner (L2).

There is no rescue by time: the lock says that nobody else lives. What was claimed may have been
sent, so its keys stay unknown; a create is looked up. An attempt that was in flight at three
deaths is the prime suspect of them and is parked (H4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.store import clock_steps, effects, lanes, rows
from relay.store.parking import Refusal, refuse

if TYPE_CHECKING:
    from relay.store.transaction import Transaction

MAX_DEATHS: Final = 3


def recover(tx: Transaction) -> int:
    """Settle what the last process left behind; the number of attempts that were in flight."""
    clock_steps.clamp(tx)
    left = tx.all("SELECT id, resource, method, purpose FROM attempt WHERE verdict IS NULL")
    for attempt, resource, method, purpose in left:
        tx.run(
            "UPDATE attempt SET verdict = 'crash', settled_at = ?,"
            " detail = 'the relay ended before a result was recorded' WHERE id = ?",
            (tx.now, attempt),
        )
        if purpose == "write":
            _doubt(tx, resource, method)
    for (resource,) in tx.all("SELECT resource FROM lane WHERE state = 'sending'"):
        tx.run("UPDATE lane SET state = 'resting' WHERE resource = ?", (resource,))
        lanes.refresh(tx, rows.by_row(tx, resource))
    return len(left)


def _doubt(tx: Transaction, resource: int, method: str) -> None:
    tx.run("UPDATE lane SET crashes = crashes + 1 WHERE resource = ?", (resource,))
    if method == "POST":
        tx.run("UPDATE lane SET ask = 'name', doubt = 'ambiguous' WHERE resource = ?", (resource,))
    deaths = tx.value("SELECT crashes FROM lane WHERE resource = ?", (resource,))
    if deaths is not None and deaths >= MAX_DEATHS:
        tx.run("UPDATE lane SET crashes = 0 WHERE resource = ?", (resource,))
        keys = [effect.key for effect in effects.unsettled(tx, resource) if effect.unknown]
        refuse(
            tx,
            rows.by_row(tx, resource),
            keys[:1] or [0],
            Refusal(500, f"the relay died {MAX_DEATHS} times while sending this"),
        )
