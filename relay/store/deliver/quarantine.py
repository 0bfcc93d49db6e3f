"""A fault of the relay itself is charged to the lane it happened in: no other waits (D5, L5).

A fault may be one of the moment, so the lane is tried again after a while; at the third in a row
its keys are refused as if TFE had refused them: they are taken apart, parked, and a revocation
stays owed. Where not even that can be done, the lane rests between tries (`set_aside`). An attempt
whose result could not be recorded stays in doubt (K1). Nothing of an exception but its type is
kept: its text may quote a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relay.rules import backoff
from relay.store.deliver import attempting, settling, unsendable
from relay.store.deliver.parking import Refusal, refuse
from relay.store.state import lanes, rows
from relay.store.state.claims import Claim, Purpose

if TYPE_CHECKING:
    from relay.store.file.transaction import Transaction

MAX_FAULTS: Final = 3
"""In a row, deaths of the process included (H4, D6); a write that succeeds ends the row."""
AGAIN_S: Final = 5.0
"""After the first fault; it doubles up to `SET_ASIDE_S`."""
SET_ASIDE_S: Final = 900.0
FAULT: Final = "fault"
"""The verdict of an attempt whose result could not be used."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that kept one lane's work from being done.

    Attributes:
        resource: the store's key of the lane.
        kind: the exception's type.
        claim: what was being sent or settled; None if the lane could not be claimed.
        charge: whether the lane may be to blame; a disk that fails is not its fault.
        unit: a random number in [0, 1) for back-off.
    """

    resource: int
    kind: str
    claim: Claim | None = None
    charge: bool = True
    unit: float = 0.5

    @property
    def detail(self) -> str:
        """The sentence that operators read, and identity providers once it is parked."""
        done = "planning this" if self.claim is None else "recording what became of this"
        return f"the relay failed while {done} ({self.kind}); its log has the cause"


def charge(tx: Transaction, fault: Fault) -> None:
    """Try the lane again later, or give up what it was about."""
    if fault.charge:
        tx.outbox.counted.append(("unexpected", "lane"))
    if fault.claim is not None:
        attempting.finish_attempt(tx, fault.claim, FAULT, None, fault.detail)
        settling.in_doubt(tx, fault.claim)
    faults = _count(tx, fault)
    if faults >= MAX_FAULTS:
        _give_up(tx, fault)
    wait_s = backoff.delay_s(max(faults, 1), fault.unit, base_s=AGAIN_S, cap_s=SET_ASIDE_S)
    _rest(tx, fault.resource, tx.now + wait_s)
    if fault.claim is not None:
        attempting.free_lane(tx, fault.resource)
    lanes.renew(tx, rows.by_row(tx, fault.resource))


def _count(tx: Transaction, fault: Fault) -> int:
    tx.run(
        "UPDATE lane SET crashes = crashes + ? WHERE resource = ?", (fault.charge, fault.resource)
    )
    faults: int = tx.value("SELECT crashes FROM lane WHERE resource = ?", (fault.resource,)) or 0
    return faults


def _give_up(tx: Transaction, fault: Fault) -> None:
    resource, claim = rows.by_row(tx, fault.resource), fault.claim
    if claim is None:
        unsendable.park_unplannable(tx, resource, fault.detail)
    elif claim.purpose is Purpose.WRITE and not settling.inputs_changed(tx, claim):
        keys = [*claim.keys, *(user for user, _ in (*claim.adds, *claim.removes))]
        refuse(tx, resource, keys, Refusal(500, fault.detail, None, fault.unit))


def _rest(tx: Transaction, resource: int, until: float) -> None:
    tx.run(
        "UPDATE effect SET due = max(due, ?) WHERE resource = ? AND state = 'open'",
        (until, resource),
    )
    tx.run("UPDATE verification SET due = max(due, ?) WHERE resource = ?", (until, resource))


def set_aside(tx: Transaction, fault: Fault) -> None:
    """Let a lane rest of which not even the fault can be recorded; nothing of it is read."""
    tx.outbox.counted.append(("unexpected", "lane"))
    until = tx.now + SET_ASIDE_S
    if fault.claim is not None:
        attempting.finish_attempt(tx, fault.claim, FAULT, None, fault.detail)
    _rest(tx, fault.resource, until)
    tx.run("UPDATE lane SET state = 'resting', due = ? WHERE resource = ?", (until, fault.resource))
