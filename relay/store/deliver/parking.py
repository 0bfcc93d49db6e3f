"""What a refusal does: take the plan apart, park the guilty key, keep a revocation owed.

Semantics S1 (desired = base + the survivors), S5 (a parked creation), S7 (bisecting over effects),
and the design's *A revocation never leaves desired*.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relay.rules import backoff
from relay.rules.effects import FIELD_OF, KEY_OF, EffectState, Key, revokes
from relay.store.deliver import lost, returning, taking_back
from relay.store.edits import answering, joining
from relay.store.file.transaction import Transaction, from_json, to_json
from relay.store.groups import part_upkeep
from relay.store.state import effects, finishing
from relay.store.state.effects import Effect, keys_written, move
from relay.store.state.records import ChangeState, Settlement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relay.rules.planner_types import Request
    from relay.rules.types import JsonObject
    from relay.store.state.rows import ResourceRow

OWED_SLICE: Final = 1 << 30
"""Refused revocations are sent last, each a part of its own: none holds anything else up."""
OWED_CAP_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """TFE's refusal as it is kept and passed on.

    Attributes:
        status: the HTTP status an IdP is given.
        detail: TFE's words.
        scim_type: TFE's `scimType`, or None.
        unit: a random number in [0, 1) for the back-off of what stays owed.
        behind: the change that it depends on and that was refused first (S2), or None.
    """

    status: int
    detail: str
    scim_type: str | None = None
    unit: float = 0.5
    behind: int | None = None


def own_keys(request: Request) -> tuple[int, ...]:
    """The resource's own keys that a request brings over."""
    if request.deletes:
        return (Key.EXISTS,)
    if request.creates:
        return (Key.EXISTS, *FIELD_OF)
    return tuple(sorted((KEY_OF[field] for field in request.fields), reverse=True))


def refuse(tx: Transaction, resource: ResourceRow, keys: Iterable[int], refusal: Refusal) -> bool:
    """Deal with a refused request that brought `keys` over: split it, or find the key guilty.

    Returns:
        True when it was split, so that it is not known yet which key is guilty.
    """
    found = [effect for key in keys if (effect := _open(tx, resource.id, key)) is not None]
    if any(effect.key == Key.EXISTS and effect.unknown and not effect.revokes for effect in found):
        _look_first(tx, resource.id, refusal)
        return False
    live = _live_change(tx, resource, found)
    if live is not None:
        _refuse_live(tx, resource, live, refusal)
    elif len(found) > 1:
        _split(tx, resource.id, found)
    elif found and found[0].revokes:
        _owe(tx, resource.id, found[0], refusal)
    elif found and found[0].key == Key.EXISTS:
        park_creation(tx, resource, refusal)
    elif found:
        _park_key(tx, resource, found[0], refusal)
    return live is None and len(found) > 1


def _look_first(tx: Transaction, resource: int, refusal: Refusal) -> None:
    """A creation that may have had its effect is not given up unseen: the look-up decides (D2)."""
    tx.run(
        "UPDATE effect SET reason = ?, due = 0 WHERE resource = ? AND key = 0",
        (_reason(refusal, None), resource),
    )
    tx.run("UPDATE lane SET ask = 'name', doubt = 'refused' WHERE resource = ?", (resource,))


def refuse_absent(tx: Transaction, resource: ResourceRow, unit: float) -> None:
    """The look-up found nobody: the refusal that was kept for it stands."""
    reason = from_json(
        tx.value("SELECT reason FROM effect WHERE resource = ? AND key = 0", (resource.id,))
    )
    if reason is None:
        return
    tx.run("UPDATE effect SET reason = NULL WHERE resource = ? AND key = 0", (resource.id,))
    part = tx.value("SELECT slice FROM effect WHERE resource = ? AND key = 0", (resource.id,))
    keys = tx.all(
        "SELECT key FROM effect WHERE resource = ? AND state = 'open' AND slice = ?",
        (resource.id, part),
    )
    refusal = Refusal(reason["status"], reason["detail"], reason["scim_type"], unit)
    refuse(tx, resource, [key for (key,) in keys], refusal)


def _open(tx: Transaction, resource: int, key: int) -> Effect | None:
    effect = effects.find(tx, resource, key)
    return effect if effect is not None and effect.state == EffectState.OPEN else None


def _split(tx: Transaction, resource: int, found: list[Effect]) -> None:
    """Send two halves apart: existence first, else revocations, fields, additions (S7)."""
    found.sort(key=lambda e: (e.key != Key.EXISTS, not e.revokes, e.key > 0, e.key))
    middle = 1 if found[0].key == Key.EXISTS else len(found) // 2
    here = max(found[0].slice, 1)
    tx.run(
        "UPDATE effect SET slice = slice + 1 WHERE resource = ? AND slice > ? AND slice < ?",
        (resource, here, OWED_SLICE),
    )
    for part, number in ((found[:middle], here), (found[middle:], here + 1)):
        tx.each(
            "UPDATE effect SET slice = ? WHERE resource = ? AND key = ?",
            [(number, resource, effect.key) for effect in part],
        )
    tx.run("UPDATE lane SET unfolding = 1 WHERE resource = ?", (resource,))
    tx.audit("unfolded", "relay", resource=resource, what={"effects": len(found)})


def _owe(tx: Transaction, resource: int, effect: Effect, refusal: Refusal) -> None:
    """A refused revocation stays desired: it is tried again for ever, and counted."""
    wait = backoff.delay_s(effect.refusals, refusal.unit, base_s=5.0, cap_s=OWED_CAP_S)
    part = OWED_SLICE + len(Key) + effect.key  # those due together are not refused together
    tx.run(
        "UPDATE effect SET slice = ?, due = ?, refusals = refusals + 1, reason = ?"
        " WHERE resource = ? AND key = ?",
        (part, tx.now + wait, _reason(refusal, None), resource, effect.key),
    )
    if not effect.refusals:
        status: JsonObject = {"status": refusal.status}
        tx.audit(
            "owed",
            "relay",
            change=effect.last,
            resource=resource,
            what=status,
            detail=refusal.detail,
        )
        tx.outbox.owed.append(finishing.Owed(effect.last, resource, refusal.status))


def _reason(refusal: Refusal, value: object) -> str:
    return to_json(
        {
            "status": refusal.status,
            "detail": refusal.detail,
            "scim_type": refusal.scim_type,
            "value": value,
            "told": False,
            "behind": refusal.behind,
        }
    )


def end_change(
    tx: Transaction, change: int, state: ChangeState, refusal: Refusal, detail: str | None = None
) -> None:
    """Record how a pending change ended, and why, once; a client that still waits is told."""
    said = detail or refusal.detail
    waits = tx.one("SELECT 1 FROM change WHERE id = ? AND answered_by IS NULL", (change,))
    moved = tx.all(
        "UPDATE change SET state = ?, settled_at = ?, status = ?, scim_type = ?, detail = ?,"
        " answered_by = ifnull(answered_by, 'target'), undo = NULL"
        " WHERE id = ? AND state = 'pending'"
        f" {finishing.RETURNING}",
        (state.value, tx.now, refusal.status, refusal.scim_type, said, change),
    )
    if not moved:
        return
    move(tx, state)
    finishing.tell(tx, moved)
    if state is ChangeState.PARKED:
        tx.outbox.counted.append(("parked", str(refusal.status)))
    about: JsonObject = {"status": refusal.status}
    tx.audit(state.value, "relay", change=change, resource=moved[0][1], what=about, detail=said)
    if waits:
        told = Settlement(state, None, refusal.status, refusal.scim_type, said)
        tx.outbox.settled.append((change, told))


def _live_change(tx: Transaction, resource: ResourceRow, found: list[Effect]) -> int | None:
    """The one change a client still waits for, if it alone is to blame and revokes nothing (A2)."""
    owes = "SELECT 1 FROM effect WHERE resource = ? AND revokes = 1 AND state <> 'parked' LIMIT 1"
    if any(effect.revokes for effect in found) or tx.one(owes, (resource.id,)) is not None:
        return None
    pending = tx.all(
        "SELECT id, answered_by FROM change WHERE resource = ? AND state = 'pending' LIMIT 2",
        (resource.id,),
    )
    if len(pending) == 1 and pending[0][1] is None:
        change: int = pending[0][0]
        return change
    return None


def _refuse_live(tx: Transaction, resource: ResourceRow, change: int, refusal: Refusal) -> None:
    """Hand TFE's refusal to the waiting client and roll its change back."""
    [(_, writes)] = returning.pending(tx, resource.id)
    for key in keys_written(writes):
        effect = effects.find(tx, resource.id, key)
        if effect is not None and effect.state != EffectState.PARKED and key != Key.EXISTS:
            returning.return_to(tx, resource, effect, None)
    returning.undo_rest(tx, resource.id, change)
    if "exists" in writes:
        _undo_creation(tx, resource, refusal, revived="revives" in writes)
    end_change(tx, change, ChangeState.REFUSED, refusal)


def _undo_creation(
    tx: Transaction, resource: ResourceRow, refusal: Refusal, *, revived: bool
) -> None:
    """A creation refused live leaves nothing, unless its id was given out before: S5 keeps that."""
    if revived:
        park_creation(tx, resource, refusal, ChangeState.REFUSED)
        answering.mark_told(tx, resource.id, Key.EXISTS)
        return
    tx.run("DELETE FROM effect WHERE resource = ?", (resource.id,))
    tx.run("DELETE FROM member WHERE group_id = ? AND confirmed = 0", (resource.id,))
    tx.run("DELETE FROM nest WHERE parent = ?", (resource.id,))
    part_upkeep.end(tx, resource, resource.origin)
    tx.run("UPDATE resource SET state = 'gone', size = 0 WHERE id = ?", (resource.id,))


def park_creation(
    tx: Transaction,
    resource: ResourceRow,
    refusal: Refusal,
    end: ChangeState = ChangeState.PARKED,
) -> None:
    """It is not to be: absent from reads, its id and rosters kept, its later edits end with it."""
    digest, edits = None, returning.pending(tx, resource.id)
    ground = taking_back.ground_of(tx, resource.id, edits)
    if not edits and end is ChangeState.PARKED:
        edits = [lost.creation(tx, resource)]
    for change, writes in edits:
        first = "exists" in writes
        if first:
            digest = tx.value("SELECT digest FROM change WHERE id = ?", (change,))
        detail = None if first else f"its creation was refused: {refusal.detail}"
        end_change(tx, change, end, refusal, detail)
    tx.run("DELETE FROM effect WHERE resource = ?", (resource.id,))
    tx.run("UPDATE resource SET state = 'parked' WHERE id = ?", (resource.id,))
    last = max((change for change, _ in edits), default=resource.last_change)
    _note(tx, resource.id, Key.EXISTS, last, _reason(refusal, digest), ground)
    joining.leave_out(tx, resource.id)


def _note(
    tx: Transaction, resource: int, key: int, change: int, reason: str, base: str | None = None
) -> None:
    tx.run(
        "INSERT INTO effect (resource, key, first, last, base, revokes, state, opened, reason)"
        " VALUES (?, ?, ?, ?, ?, 0, 'parked', ?, ?)",
        (resource, key, change, change, base, tx.now, reason),
    )


def _park_key(tx: Transaction, resource: ResourceRow, effect: Effect, refusal: Refusal) -> None:
    """Park the change that last wrote a refused key; desired returns to the survivor before it.

    What it returned to may be refused as well, and nobody waits for that: then TFE's word stands,
    unless it would give access back.
    """
    writers = returning.writers(tx, resource.id, effect)
    value = returning.desired_value(tx, resource, effect.key)
    if not writers:
        if revokes(effect.key, value):
            tx.run(
                "UPDATE effect SET revokes = 1 WHERE resource = ? AND key = ?",
                (resource.id, effect.key),
            )
            _owe(tx, resource.id, effect, refusal)
            return
        returning.believe_target(tx, resource, effect)
    settled = returning.return_to(tx, resource, effect, returning.survivor(writers, effect))
    end_change(tx, effect.last, ChangeState.PARKED, refusal)
    if settled:
        _note(tx, resource.id, effect.key, effect.last, _reason(refusal, value))
    effects.settle_changes(tx, resource.id)
