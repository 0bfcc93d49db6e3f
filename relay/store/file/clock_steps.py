"""Wall time that was set anew: what waits, waits as long as it would have (L6).

Times of rows are wall time, since they outlive the process. A running process knows by the
monotonic clock how far wall time was set, and moves what is due by as much. After a restart nobody
knows; then whatever is due further ahead than the longest back-off is due now. Either way nothing
was told later than now: else TFE's word, or a budget that is spent, would stand until time is there
again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from relay.store.file.transaction import Transaction

LONGEST_S: Final = 3600.0
"""No back-off is longer; what is due later than this was written under another time."""

STEP_S: Final = 2.0
"""Less is drift, which NTP slews."""

_DUE: Final = ("effect", "lane", "verification")

_TOLD: Final = (
    (
        "UPDATE resource SET c_at = min(c_at, ?1), c_active_at = min(c_active_at, ?1),"
        " c_roster_at = min(c_roster_at, ?1) WHERE max(c_at, c_active_at, c_roster_at) > ?1"
    ),
    "UPDATE revocation SET at = ?1 WHERE at > ?1",
    "UPDATE spent SET allowed_at = ?1 WHERE allowed_at > ?1",
    "UPDATE lane SET struck = ?1 WHERE struck > ?1",
    "UPDATE meta SET value = ?1 WHERE key = 'erased at' AND CAST(value AS REAL) > ?1",
)
"""What TFE said, what the guard counted, since when a lane fails, when somebody was erased."""


def step(tx: Transaction, seconds: float) -> None:
    """Wall time was set forward (or, below zero, back) by so many seconds."""
    for table in _DUE:
        tx.run(f"UPDATE {table} SET due = due + ? WHERE due > 0", (seconds,))
    tx.run("UPDATE lane SET since = since + ?1, touched = touched + ?1", (seconds,))
    tx.run("UPDATE hold SET until = until + ? WHERE until IS NOT NULL", (seconds,))
    _no_later(tx)
    tx.audit("clock stepped", "relay", what={"by_s": round(seconds, 1)})
    tx.outbox.work = True


def clamp(tx: Transaction) -> None:
    """At start: nothing waits longer than any back-off may, and nothing comes from the future."""
    latest = tx.now + LONGEST_S
    for table in _DUE:
        tx.run(f"UPDATE {table} SET due = ? WHERE due > ?", (tx.now, latest))
    tx.run("UPDATE lane SET since = min(since, ?1), touched = min(touched, ?1)", (tx.now,))
    tx.run("UPDATE hold SET until = ? WHERE until > ?", (latest, latest))
    _no_later(tx)


def _no_later(tx: Transaction) -> None:
    for statement in _TOLD:
        tx.run(statement, (tx.now,))
