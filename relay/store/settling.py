"""Settling: one transaction turns an attempt's verdict into what is known, owed and told.

The table is `_BY_OUTCOME`; each row is a function of the claim and the verdict. Whatever certainly had
no effect is put back as it was; whatever may have had one stays unknown (K1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relay.rules import backoff
from relay.rules.effects import FIELD_OF, Key
from relay.rules.types import Fields
from relay.rules.verdict import Outcome, Verdict
from relay.store import adopting, effects, lanes, looking_up, rosters, rows
from relay.store.claiming import finish_attempt, free_lane, restore
from relay.store.claims import Claim, Purpose
from relay.store.holds import HoldName, raise_hold
from relay.store.parking import Refusal, own_keys, refuse
from relay.store.reading import resource_view
from relay.store.records import ChangeState, Settlement
from relay.store.transaction import Transaction, to_json

if TYPE_CHECKING:
    from relay.store.rows import ResourceRow

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
    """

    charge: bool = False
    unit: float = 0.5
    verify_after_s: float = 60.0
    hold: HoldRequest | None = None


def settle(tx: Transaction, claim: Claim, verdict: Verdict, now: Circumstances) -> None:
    """Record an attempt's verdict and all that follows from it."""
    finish_attempt(tx, claim, verdict.outcome.value, verdict.status, verdict.detail)
    if now.hold is not None:
        raise_hold(tx, now.hold.name, now.hold.reason, now.hold.until)
    _BY_OUTCOME[verdict.outcome](tx, claim, verdict, now)
    free_lane(tx, claim.resource)
    lane = tx.one("SELECT 1 FROM lane WHERE resource = ?", (claim.resource,))
    if lane is None:
        lanes.ensure(tx, rows.by_row(tx, claim.resource))


def _delivered(tx: Transaction, claim: Claim, verdict: Verdict, now: Circumstances) -> None:
    _no_strikes(tx, claim.resource)
    if claim.purpose is Purpose.LOOKUP:
        looking_up.found(tx, claim, verdict, now.unit)
    elif claim.purpose is not Purpose.WRITE:
        looking_up.read_back(tx, claim, verdict, now.unit)
    else:
        _written(tx, claim, verdict)
        if claim.before.doubtful:
            tx.run(
                "INSERT INTO verification (resource, due) VALUES (?, ?)"
                " ON CONFLICT (resource) DO UPDATE SET due = excluded.due",
                (claim.resource, tx.now + now.verify_after_s),
            )


def _no_strikes(tx: Transaction, resource: int) -> None:
    tx.run(
        "UPDATE lane SET strikes = 0, struck = 0, crashes = 0, ask = NULL WHERE resource = ?",
        (resource,),
    )


def _written(tx: Transaction, claim: Claim, verdict: Verdict) -> None:
    """TFE acknowledged a write: confirmed moves forward, and every change it covers is delivered."""
    resource = rows.by_row(tx, claim.resource)
    if claim.request.deletes:
        _deleted(tx, resource)
        return
    created = claim.request.creates
    if created:
        assert verdict.resource is not None
        assert claim.sent is not None
        target = str(verdict.resource["id"])
        if not rows.bind(tx, claim.resource, target):
            detail = f"TFE answered with the id {target}, which is another resource's"
            refuse(tx, resource, own_keys(claim.request), Refusal(409, detail, "uniqueness"))
            return
        rows.set_confirmed(tx, claim.resource, claim.sent)
    else:
        _confirm_fields(tx, resource, claim)
    _close_fields(tx, claim)
    _close_members(tx, claim)
    _answer(tx, claim.resource, effects.settle_changes(tx, claim.resource), created=created)
    if created:
        adopting.wake_members(tx, claim.resource)
    adopting.wake_names(tx, claim.resource)


def _deleted(tx: Transaction, resource: ResourceRow) -> None:
    waiting = tx.all(
        "SELECT id FROM change WHERE resource = ? AND state = 'pending' AND answered_by IS NULL",
        (resource.id,),
    )
    adopting.absent(tx, resource.id)
    _answer(tx, resource.id, [change for (change,) in waiting], created=False)


def _confirm_fields(tx: Transaction, resource: ResourceRow, claim: Claim) -> None:
    """Move the confirmed fields that a PATCH brought over."""
    held = resource.confirmed or resource.desired
    assert claim.sent is not None
    values = {
        name: getattr(claim.sent if FIELD_OF_NAME[name] in claim.fields else held, name)
        for name in FIELD_OF_NAME
    }
    rows.set_confirmed(tx, claim.resource, Fields(**values))


FIELD_OF_NAME: Final = {field.value: field for field in FIELD_OF.values()}


def _close_fields(tx: Transaction, claim: Claim) -> None:
    """Close the effects on own keys that TFE now agrees with; the others start after this plan."""
    resource = rows.by_row(tx, claim.resource)
    for key in own_keys(claim.request):
        effect = effects.find(tx, claim.resource, key)
        if effect is None:
            continue
        if key == Key.EXISTS:
            there, base = resource.wanted, to_json(True)
        else:
            field = FIELD_OF[Key(key)]
            sent = getattr(claim.sent, field)
            there = sent == getattr(resource.desired, field)
            base = to_json({"v": sent, "s": None})
        if there:
            effects.close(tx, claim.resource, key)
        else:
            _reopen(tx, claim, key, base)


def _reopen(tx: Transaction, claim: Claim, key: int, base: str) -> None:
    """What changed while the attempt was under way is owed by the changes after it (S6)."""
    tx.run(
        "UPDATE effect SET first = min(max(first, ?), last), base = ?, unknown = 0, slice = 0"
        " WHERE resource = ? AND key = ?",
        (claim.through + 1, base, claim.resource, key),
    )


def _close_members(tx: Transaction, claim: Claim) -> None:
    for edits, value in ((claim.adds, 1), (claim.removes, 0)):
        for user, _ in edits:
            wanted, confirmed = rosters.state(tx, claim.resource, user)
            tx.run(
                "UPDATE member SET confirmed = ? WHERE group_id = ? AND user_id = ?",
                (value, claim.resource, user),
            )
            if not value and confirmed:
                tx.run("UPDATE resource SET c_size = c_size - 1 WHERE id = ?", (claim.resource,))
            if wanted == value:
                effects.close(tx, claim.resource, user)
                rosters.forget_absent(tx, claim.resource, user)
            else:
                _reopen(tx, claim, user, to_json(value))


def _answer(tx: Transaction, resource: int, done: list[int], *, created: bool) -> None:
    """Tell clients that still wait: TFE has it, and its id is the resource's public one (A2)."""
    for change in done:
        if not tx.run(
            "UPDATE change SET answered_by = 'target' WHERE id = ? AND answered_by IS NULL",
            (change,),
        ):
            continue
        if created and tx.value("SELECT verb FROM change WHERE id = ?", (change,)) == "create":
            tx.run("UPDATE resource SET public_id = target_id WHERE id = ?", (resource,))
        row = rows.by_row(tx, resource)
        view = resource_view(tx, row, members=True) if row.wanted else None
        tx.outbox.settled.append((change, Settlement(ChangeState.DELIVERED, view)))


def _put_back(tx: Transaction, claim: Claim, verdict: Verdict, _now: Circumstances) -> None:
    """The target's trouble: nothing is charged, nothing is lost (D8, D11)."""
    if verdict.ambiguous:
        _in_doubt(tx, claim)
    else:
        restore(tx, claim)


def _in_doubt(tx: Transaction, claim: Claim) -> None:
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
    _back_off(tx, claim.resource, max(strikes, 1), now.unit)


def _failed(tx: Transaction, claim: Claim, verdict: Verdict, now: Circumstances) -> None:
    """A 500: once more, as TFE advises, then it is a refusal if others succeed meanwhile."""
    _put_back(tx, claim, verdict, now)
    strikes, _ = _strike(tx, claim.resource, charge=now.charge)
    if strikes > 1 and claim.purpose is Purpose.WRITE:
        _refused(tx, claim, verdict, now)
        return
    _back_off(tx, claim.resource, max(strikes, 1), now.unit)


def _strike(tx: Transaction, resource: int, *, charge: bool) -> tuple[int, float]:
    if charge:
        tx.run(
            "UPDATE lane SET strikes = strikes + 1, struck = iif(strikes = 0, ?, struck)"
            " WHERE resource = ?",
            (tx.now, resource),
        )
    row: tuple[int, float] | None = tx.one(
        "SELECT strikes, struck FROM lane WHERE resource = ?", (resource,)
    )
    return row or (0, tx.now)  # a verification has no lane of its own


def _back_off(tx: Transaction, resource: int, failures: int, unit: float) -> None:
    due = tx.now + backoff.delay_s(failures, unit)
    tx.run(
        "UPDATE effect SET due = max(due, ?) WHERE resource = ? AND state = 'open'",
        (due, resource),
    )


def _missing(tx: Transaction, claim: Claim, verdict: Verdict, now: Circumstances) -> None:
    """404: the bound id, or a member of the request, is unknown to TFE (K4)."""
    if now.hold is not None:
        restore(tx, claim)  # foreign: another TFE answers, nothing is unlearnt (K5)
        return
    if claim.reads_back:
        tx.run("UPDATE lane SET ask = NULL, doubt = NULL WHERE resource = ?", (claim.resource,))
        adopting.absent(tx, claim.resource)
        return
    restore(tx, claim)
    if claim.purpose is Purpose.LOOKUP:
        looking_up.not_found(tx, claim, now.unit)
    elif claim.request.creates:
        _refused(tx, claim, verdict, now)
    elif not inputs_changed(tx, claim):
        tx.run(
            "UPDATE lane SET ask = 'id', doubt = 'missing' WHERE resource = ?", (claim.resource,)
        )


def _conflict(tx: Transaction, claim: Claim, verdict: Verdict, now: Circumstances) -> None:
    """409: a create looks up who has the name, anything else is a refusal (K4)."""
    restore(tx, claim)
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
        restore(tx, claim)
    if claim.purpose is not Purpose.WRITE:
        looking_up.refused(tx, claim, now.unit)
        return
    if inputs_changed(tx, claim):
        return
    tx.run("UPDATE lane SET strikes = 0, ask = NULL WHERE resource = ?", (claim.resource,))
    keys = [*own_keys(claim.request), *(user for user, _ in (*claim.adds, *claim.removes))]
    refusal = Refusal(
        verdict.status or 500,
        verdict.detail or "Terraform Enterprise gave no reason",
        verdict.scim_type,
        now.unit,
    )
    refuse(tx, rows.by_row(tx, claim.resource), keys, refusal)


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
    Outcome.DOWN: _put_back,
    Outcome.FAILED: _failed,
    Outcome.AMBIGUOUS: _postponed,
    Outcome.MISSING: _missing,
    Outcome.CONFLICT: _conflict,
    Outcome.REFUSED: _refused,
}
