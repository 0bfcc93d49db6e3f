"""At start: every attempt without a result has a dead owner (L2).

There is no rescue by time: the lock says that nobody else lives. What was claimed may have been
sent, so its keys stay unknown; a create is looked up. An attempt that was in flight at three
deaths is the prime suspect of them and is parked (H4), a create only once TFE was asked and does
not have it. Reads count too: a look-up that kills its asker is not asked for ever. A stop is no
death: what it did not wait for is as unknown, and suspect of nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.store.deliver import looking_up
from relay.store.file import clock_steps
from relay.store.file.containing import contained
from relay.store.state import lanes, rows
from relay.store.state.claims import Purpose

if TYPE_CHECKING:
    from relay.store.file.transaction import Transaction

MAX_DEATHS: Final = 3
DEATHS_UNASKED: Final = 6
"""After so many it is parked although TFE could not be asked what it has."""


def recover(tx: Transaction) -> int:
    """Settle what the last process left behind; the number of attempts that were in flight."""
    clock_steps.clamp(tx)
    left = _end_attempts(tx, "crash")
    for resource, purpose in left:
        tx.run("UPDATE lane SET crashes = crashes + 1 WHERE resource = ?", (resource,))
        if purpose == Purpose.VERIFY.value:
            _spare_reading(tx, resource)
        with contained(tx, "recovery"):
            _suspect(tx, resource)
    _free_lanes(tx)
    return len(left)


def leave(tx: Transaction) -> None:
    """At a stop: what did not end by its deadline is unknown; it killed nobody (L1)."""
    _end_attempts(tx, "stopped")
    _free_lanes(tx)


def _end_attempts(tx: Transaction, verdict: str) -> list[tuple[int, str]]:
    """End every attempt without a result, in doubt (K1); whose each was, and for what purpose."""
    left = tx.all("SELECT id, resource, method, purpose FROM attempt WHERE verdict IS NULL")
    for attempt, resource, method, purpose in left:
        tx.run(
            "UPDATE attempt SET verdict = ?, settled_at = ?,"
            " detail = 'the relay ended before a result was recorded' WHERE id = ?",
            (verdict, tx.now, attempt),
        )
        if purpose == Purpose.WRITE.value and method == "POST":
            tx.run(
                "UPDATE lane SET ask = 'name', doubt = 'ambiguous' WHERE resource = ?", (resource,)
            )
    return [(resource, purpose) for _, resource, _, purpose in left]


def _free_lanes(tx: Transaction) -> None:
    for (resource,) in tx.all("SELECT resource FROM lane WHERE state = 'sending'"):
        tx.run("UPDATE lane SET state = 'resting' WHERE resource = ?", (resource,))
        lanes.refresh(tx, rows.by_row(tx, resource))


def _spare_reading(tx: Transaction, resource: int) -> None:
    """A verifying read that was under way at so many deaths in a row is not asked again."""
    deaths = tx.value(
        "SELECT count(*) FROM attempt WHERE resource = ?1 AND purpose = ?2 AND verdict = 'crash'"
        " AND id > ifnull((SELECT max(id) FROM attempt WHERE resource = ?1 AND purpose = ?2"
        " AND verdict <> 'crash'), 0)",
        (resource, Purpose.VERIFY.value),
    )
    if deaths < DEATHS_UNASKED:
        return
    tx.run("DELETE FROM verification WHERE resource = ?", (resource,))
    tx.audit("not read back", "relay", resource=resource, what={"deaths": deaths})


def _suspect(tx: Transaction, resource: int) -> None:
    lane = tx.one("SELECT crashes, ask FROM lane WHERE resource = ?", (resource,))
    if lane is None or lane[0] < MAX_DEATHS:
        return
    deaths, ask = lane
    if ask is not None and deaths < DEATHS_UNASKED:
        tx.run("UPDATE lane SET doubt = ? WHERE resource = ?", (looking_up.DEADLY, resource))
        return
    looking_up.refuse_deadly(tx, resource, asked=ask is None)
