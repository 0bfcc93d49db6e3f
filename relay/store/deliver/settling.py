"""Settling: one transaction turns an attempt's verdict into what is known, owed and told.

The table is `_BY_OUTCOME`; each row is a function of the claim and the verdict. Whatever certainly
had no effect is put back as it was; whatever may have had one stays unknown (K1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from relay.rules import backoff
from relay.rules.verdict import Outcome, Verdict
from relay.store.deliver import attempting, confirming, dependents, looking_up
from relay.store.deliver.parking import Refusal, own_keys, refuse
from relay.store.file.transaction import Transaction
from relay.store.guarding import guard
from relay.store.state import effects, lanes, rosters, rows
from relay.store.state.claims import Claim, Purpose
from relay.store.state.holds import HoldName, raise_hold

MAX_STRIKES: Final = 8
MIN_STRUCK_S: Final = 3600.0
"""Charged failures park a change only after this many and this long (H4)."""


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """A hold that the same decision raises."""

    name: HoldName
    reason: str
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What settling depends on besides the claim, its verdict and the rows.

    Attributes:
        charge: another lane succeeded in the last 60 s, so a failure is this lane's (H4).
        unit: a random number in [0, 1) for back-off.
        verify_after_s: `target.timeout`: an attempt cannot take effect later than this (K2).
        hold: to raise together with the result, or None.
        slot_at: wall time at which the attempt had its slot, or None if nobody paced it.
    """

    charge: bool = False
    unit: float = 0.5
    verify_after_s: float = 60.0
    hold: HoldRequest | None = None
    slot_at: float | None = None


def settle(tx: Transaction, claim: Claim, verdict: Verdict, now: Circumstances) -> None:
    """Record an attempt's verdict and all that follows from it."""
    tx.attempt = claim.attempt
    attempting.finish_attempt(
        tx, claim, verdict.outcome.value, verdict.status, verdict.detail, now.slot_at
    )
    if now.hold is not None:
        raise_hold(tx, now.hold.name, now.hold.reason, now.hold.until)
    _BY_OUTCOME[verdict.outcome](tx, claim, verdict, now)
    guard.end_trips(tx)
    attempting.free_lane(tx, claim.resource)
    lanes.renew(tx, rows.by_row(tx, claim.resource))


def _delivered(tx: Transaction, claim: Claim, verdict: Verdict, now: Circumstances) -> None:
    if claim.purpose is Purpose.LOOKUP:
        looking_up.found(tx, claim, verdict, now.unit)
    elif claim.purpose is not Purpose.WRITE:
        looking_up.read_back(tx, claim, verdict, now.unit)
    else:
        _no_strikes(tx, claim.resource)
        confirming.acknowledge(tx, claim, verdict)
        if claim.before.doubtful:
            tx.run(
                "INSERT INTO verification (resource, due) VALUES (?, ?)"
                " ON CONFLICT (resource) DO UPDATE SET due = excluded.due",
                (claim.resource, tx.now + now.verify_after_s),
            )


def _no_strikes(tx: Transaction, resource: int) -> None:
    """A write succeeded; that a read did says nothing about the lane's next write (H4).

    Nor does one half of a plan that is taken apart clear the other of the relay's deaths.
    """
    tx.run(
        "UPDATE lane SET strikes = 0, struck = 0, crashes = iif(unfolding, crashes, 0), ask = NULL"
        " WHERE resource = ?",
        (resource,),
    )


def _put_back(tx: Transaction, claim: Claim, verdict: Verdict, _now: Circumstances) -> None:
    """The target's trouble: nothing is charged, nothing is lost (D8, D11)."""
    if verdict.ambiguous:
        in_doubt(tx, claim)
    else:
        attempting.restore(tx, claim)


def in_doubt(tx: Transaction, claim: Claim) -> None:
    """It may have happened: keys stay unknown, and a create is looked up before anything (D2)."""
    if claim.purpose is Purpose.WRITE and claim.request.creates:
        tx.run(
            "UPDATE lane SET ask = 'name', doubt = 'ambiguous' WHERE resource = ?",
            (claim.resource,),
        )


def _postponed(tx: Transaction, claim: Claim, verdict: Verdict, now: Circumstances) -> None:
    """Trouble that may be the lane's: back-off, and charged only while others succeed (H4)."""
    _put_back(tx, claim, verdict, now)
    strikes, struck = _strike(tx, claim.resource, charge=now.charge)
    if strikes >= MAX_STRIKES and tx.now - struck >= MIN_STRUCK_S:
        _refused(tx, claim, verdict, now)
        return
    _back_off(tx, claim.resource, strikes, struck, now.unit)


def _down(tx: Transaction, claim: Claim, verdict: Verdict, now: Circumstances) -> None:
    """A gateway's error may be about this very request: it steps aside, so that others go first.

    Where no connection stood nothing was sent, and no lane is to blame (H4).
    """
    if verdict.status is None:
        _put_back(tx, claim, verdict, now)
    else:
        _postponed(tx, claim, verdict, now)


def _failed(tx: Transaction, claim: Claim, verdict: Verdict, now: Circumstances) -> None:
    """A 500: once more, as TFE advises, then it is a refusal if others succeed meanwhile."""
    _put_back(tx, claim, verdict, now)
    strikes, struck = _strike(tx, claim.resource, charge=now.charge)
    again = now.charge and strikes > 1 and _failed_before(tx, claim)
    if claim.purpose is Purpose.WRITE and (again or _is_owed(tx, claim)):
        _refused(tx, claim, verdict, now)
        return
    _back_off(tx, claim.resource, strikes, struck, now.unit)


def _failed_before(tx: Transaction, claim: Claim) -> bool:
    """Whether the lane's write before this one was answered 500, too."""
    before: str | None = tx.value(
        "SELECT verdict FROM attempt WHERE resource = ? AND purpose = ? AND id < ?"
        " ORDER BY id DESC LIMIT 1",
        (claim.resource, Purpose.WRITE.value, claim.attempt),
    )
    return before == Outcome.FAILED.value


def _is_owed(tx: Transaction, claim: Claim) -> bool:
    """Whether TFE refused this very revocation before: it has had its second chance."""
    keys = (*claim.keys, *(user for user, _ in claim.removes))
    found = (effects.find(tx, claim.resource, key) for key in keys)
    return any(effect is not None and effect.refusals for effect in found)


def _strike(tx: Transaction, resource: int, *, charge: bool) -> tuple[int, float]:
    """Count a failure if it is the lane's; its strikes, and when it first failed in this row."""
    tx.run(
        "UPDATE lane SET strikes = strikes + ?, struck = iif(struck = 0, ?, struck)"
        " WHERE resource = ?",
        (charge, tx.now, resource),
    )
    strikes, struck = tx.one("SELECT strikes, struck FROM lane WHERE resource = ?", (resource,))
    return strikes, struck


def _back_off(tx: Transaction, resource: int, strikes: int, struck: float, unit: float) -> None:
    """Wait longer with each strike; uncharged failures wait as long again as they have lasted."""
    lasted_s = max(tx.now - struck, backoff.BASE_S)
    ceiling_s = min(lasted_s, backoff.CAP_S)
    due = tx.now + max(backoff.delay_s(max(strikes, 1), unit), unit * ceiling_s)
    tx.run(
        "UPDATE effect SET due = max(due, ?) WHERE resource = ? AND state = 'open'",
        (due, resource),
    )


def _missing(tx: Transaction, claim: Claim, verdict: Verdict, now: Circumstances) -> None:
    """404: the bound id, or a member of the request, is unknown to TFE (K4)."""
    if now.hold is not None:
        attempting.restore(tx, claim)  # foreign: another TFE answers, nothing is unlearnt (K5)
        return
    if claim.reads_back:
        tx.run("UPDATE lane SET ask = NULL, doubt = NULL WHERE resource = ?", (claim.resource,))
        confirming.absent(tx, rows.by_row(tx, claim.resource))
        return
    attempting.restore(tx, claim)
    if claim.purpose is Purpose.LOOKUP:
        looking_up.refused(tx, claim, now.unit)  # a list that is not there denies nobody
    elif claim.request.creates:
        _refused(tx, claim, verdict, now)
    elif not inputs_changed(tx, claim):
        tx.run(
            "UPDATE lane SET ask = 'id', doubt = 'missing' WHERE resource = ?", (claim.resource,)
        )


def _conflict(tx: Transaction, claim: Claim, verdict: Verdict, now: Circumstances) -> None:
    """409: a create looks up who has the name, anything else is a refusal (K4)."""
    attempting.restore(tx, claim)
    if not claim.request.creates:
        _refused(tx, claim, verdict, now)
    elif not inputs_changed(tx, claim):
        tx.run(
            "UPDATE lane SET ask = 'name', doubt = 'conflict' WHERE resource = ?",
            (claim.resource,),
        )


def _refused(tx: Transaction, claim: Claim, verdict: Verdict, now: Circumstances) -> None:
    """TFE will never take this request: whose fault it is is found by taking it apart (S7)."""
    if not verdict.ambiguous:
        attempting.restore(tx, claim)
    if claim.purpose is not Purpose.WRITE:
        looking_up.refused(tx, claim, now.unit)
        return
    if inputs_changed(tx, claim):
        return
    tx.run(
        "UPDATE lane SET strikes = 0, struck = 0, ask = NULL WHERE resource = ?", (claim.resource,)
    )
    keys = [*claim.keys, *(user for user, _ in (*claim.adds, *claim.removes))]
    refusal = Refusal(
        verdict.status or 500,
        verdict.detail or "Terraform Enterprise gave no reason",
        verdict.scim_type,
        now.unit,
    )
    refuse(tx, rows.by_row(tx, claim.resource), keys, refusal)
    # A name it was to give up may stay its own: whoever waited for it is not to wait for ever (S2).
    dependents.park(tx, claim.resource)
    lanes.wake_behind(tx, claim.resource)


def inputs_changed(tx: Transaction, claim: Claim) -> bool:
    """Whether the plan would be another one now, so that its refusal says nothing (K4)."""
    if any(
        (effect := effects.find(tx, claim.resource, key)) is not None
        and effect.last > claim.through
        for key in own_keys(claim.request)
    ):
        return True
    for edits, wanted in ((claim.adds, 1), (claim.removes, 0)):
        for user, target in edits:
            now_target, state = tx.one(
                "SELECT target_id, state FROM resource WHERE id = ?", (user,)
            )
            moved = rosters.state(tx, claim.resource, user)[0] != wanted
            if moved or now_target != target or (wanted and state != rows.LIVE):
                return True
    return False


Row = Callable[[Transaction, Claim, Verdict, Circumstances], None]

_BY_OUTCOME: Final[Mapping[Outcome, Row]] = {
    Outcome.DELIVERED: _delivered,
    Outcome.THROTTLED: _put_back,
    Outcome.PAUSED: _put_back,
    Outcome.TOKEN: _put_back,
    Outcome.DOWN: _down,
    Outcome.FAILED: _failed,
    Outcome.AMBIGUOUS: _postponed,
    Outcome.MISSING: _missing,
    Outcome.CONFLICT: _conflict,
    Outcome.REFUSED: _refused,
}
