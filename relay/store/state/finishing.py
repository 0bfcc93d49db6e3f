"""What is told of a change that ended: where its time went (Postfix's `delays=a/b/c/d`).

One clock times all of it, the wall clock that rows carry, since a change may outlive the process.
Each part begins where the one before it ended, so that together they are the change's whole age.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relay.store.file.transaction import Transaction

RETURNING: Final = "RETURNING id, resource, connection, verb, state, status, at, accept_s"


@dataclass(frozen=True, slots=True)
class Sending:
    """Of the attempt that is being settled: when it was claimed, and when it had its slot."""

    claimed_at: float
    slot_at: float | None


@dataclass(frozen=True, slots=True)
class Finished:
    """A change that ended, and where its time went.

    Attributes:
        change: its number.
        resource: the store's key of its resource.
        connection: whose it was.
        verb: create, replace, patch or delete.
        outcome: how it ended (`records.ChangeState`).
        status: the HTTP status of a refusal, or None.
        at: when it was accepted, seconds since the epoch.
        accept_s: from the request's head to the queue.
        wait_s: in the queue: holds, back-off, earlier attempts, other lanes.
        pace_s: planned and recorded, waiting for the pacer's slot.
        send_s: from the slot to the record of what TFE answered.
        attempted: whether a request of its own lane ended it.
    """

    change: int
    resource: int
    connection: str
    verb: str
    outcome: str
    status: int | None
    at: float
    accept_s: float
    wait_s: float
    pace_s: float
    send_s: float
    attempted: bool


@dataclass(frozen=True, slots=True)
class Owed:
    """A revocation that TFE refused for the first time."""

    change: int
    resource: int
    status: int


Row = tuple[int, int, str, str, str, int | None, float, float]


def tell(tx: Transaction, rows: Iterable[Row]) -> None:
    """Have it told of changes that ended in this transaction, once it is on disk.

    Args:
        tx: the transaction.
        rows: what `RETURNING` gave.
    """
    for change, resource, connection, verb, outcome, status, at, accept_s in rows:
        parts = _parts(at, tx.sending, tx.now)
        tx.outbox.finished.append(
            Finished(
                change,
                resource,
                connection,
                verb,
                outcome,
                status,
                at,
                accept_s,
                *parts,
                attempted=tx.sending is not None,
            )
        )


def _parts(at: float, sending: Sending | None, now: float) -> tuple[float, float, float]:
    """Waiting, pacing and sending; without an attempt it all was waiting.

    Nothing is negative: a change may be settled by an attempt that was under way when it came,
    and wall time may be set back.
    """
    end = max(now, at)
    claimed = end if sending is None else min(max(sending.claimed_at, at), end)
    slot = claimed if sending is None or sending.slot_at is None else sending.slot_at
    slot = min(max(slot, claimed), end)
    return claimed - at, slot - claimed, end - slot
