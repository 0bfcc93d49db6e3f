"""TFE acknowledged a write: confirmed moves forward, what it covers is delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.rules.effects import (
    FIELD_OF,
    Key,
)
from relay.rules.types import Field, Fields
from relay.store.compare import adopting
from relay.store.deliver.parking import Refusal, own_keys, refuse
from relay.store.edits import answering, joining
from relay.store.file.transaction import Transaction, to_json
from relay.store.state import effects, lanes, rosters, rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relay.rules.types import Json
    from relay.rules.verdict import Verdict
    from relay.store.state.claims import Claim
    from relay.store.state.rows import ResourceRow


def acknowledge(tx: Transaction, claim: Claim, verdict: Verdict) -> None:
    """TFE acknowledged a write: confirmed moves forward, and what it covers is delivered."""
    resource = rows.by_row(tx, claim.resource)
    if claim.request.deletes:
        absent(tx, resource)
        return
    created = claim.request.creates
    if created and resource.state == rows.PARKED:
        _left_to_successor(tx, resource)
        return
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
        _confirm_fields(tx, resource, claim, verdict.resource)
    closed = [*_close_fields(tx, claim), *_close_members(tx, claim)]
    if claim.removes:
        rosters.room_made(tx, claim.resource)
    done = effects.settle_changes(tx, claim.resource, closed)
    tx.outbox.counted += [("saved", "folding")] * (len(done) - 1)
    answering.by_target(tx, claim.resource, done, created=created)
    if created:
        joining.join(tx, claim.resource)
    lanes.wake_behind(tx, claim.resource)


def _left_to_successor(tx: Transaction, resource: ResourceRow) -> None:
    """It was given up while its POST was under way: who has its name now takes over what TFE made.

    TFE answers that one's own POST with 409, and the look-up finds it (S2).
    """
    tx.run(
        "UPDATE resource SET sent_name = NULL, sent_name_key = NULL WHERE id = ?", (resource.id,)
    )
    lanes.wake_behind(tx, resource.id)


def absent(tx: Transaction, resource: ResourceRow) -> None:
    """TFE does not have it: whoever waits for its deletion is answered."""
    waiting = tx.all(
        "SELECT id FROM change WHERE resource = ? AND state = 'pending' AND answered_by IS NULL",
        (resource.id,),
    )
    adopting.absent(tx, resource.id)
    if not resource.wanted:
        answering.by_target(tx, resource.id, [change for (change,) in waiting], created=False)


def _confirm_fields(tx: Transaction, resource: ResourceRow, claim: Claim, body: Json) -> None:
    """Move the confirmed fields that a PATCH brought over.

    What its answer says of `active` is believed where a revocation depends on it: a user whom the
    IdP suspended and TFE shows as active is suspended again. Other fields of an answer are not
    compared: a TFE that leaves them out would have them written for ever.
    """
    held = resource.confirmed or resource.desired
    assert claim.sent is not None
    values = {
        name: getattr(claim.sent if FIELD_OF_NAME[name] in claim.fields else held, name)
        for name in FIELD_OF_NAME
    }
    sent = Field.ACTIVE in claim.fields
    told = None if sent else _active_told(resource, body)
    if told and resource.active == 0:
        values["active"] = True
    believed = sent or (told is not None and told == values["active"])
    named = Field.NAME in claim.fields
    rows.set_confirmed(tx, claim.resource, Fields(**values), active_told=believed, name_told=named)
    if told and resource.active == 0:
        opened = adopting.compare_field(tx, rows.by_row(tx, resource.id), Field.ACTIVE)
        adopting.ask(tx, resource.id, opened)


def _active_told(resource: ResourceRow, body: Json) -> bool | None:
    """`active` as the answer to a PATCH has it, or None."""
    if not isinstance(body, dict) or body.get("id") != resource.target_id:
        return None
    active = body.get("active")
    return active if isinstance(active, bool) else None


FIELD_OF_NAME: Final = {field.value: field for field in FIELD_OF.values()}


def _close_fields(tx: Transaction, claim: Claim) -> Iterator[effects.Span | None]:
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
            base = to_json({"v": sent, "s": claim.written.get(field)})
        if there:
            yield effects.close(tx, claim.resource, key)
        elif claim.detour:
            _go_on(tx, claim.resource, key)
        else:
            yield _reopen(tx, claim, key, base)


def _go_on(tx: Transaction, resource: int, key: int) -> None:
    """A temporary name is no change's: what was owed is owed still, from its old base on (S3)."""
    tx.run(
        "UPDATE effect SET unknown = 0, slice = 0 WHERE resource = ? AND key = ?", (resource, key)
    )


def _reopen(tx: Transaction, claim: Claim, key: int, base: str) -> effects.Span | None:
    """What changed while the attempt was under way is owed by the changes after it (S6)."""
    before = effects.find(tx, claim.resource, key)
    tx.run(
        "UPDATE effect SET first = min(max(first, ?), last), base = ?, unknown = 0, slice = 0"
        " WHERE resource = ? AND key = ?",
        (claim.through + 1, base, claim.resource, key),
    )
    return None if before is None else (before.first, claim.through)


def _close_members(tx: Transaction, claim: Claim) -> Iterator[effects.Span | None]:
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
                yield effects.close(tx, claim.resource, user)
                rosters.forget_absent(tx, claim.resource, user)
            else:
                yield _reopen(tx, claim, user, to_json(value))
