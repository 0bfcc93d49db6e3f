"""An operator's decision on what the guard holds: approve or reject, whole or in part.

Approving lets the very effects go that were seen. Rejecting returns exactly their keys to what they
were (semantics H3), and keeps a row for each until the IdP writes the key again: until then the two
differ, and an operator can list where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.rules.effects import EffectState, Key
from relay.store.deliver import dependents, merging, parking, returning
from relay.store.deliver.parking import Refusal
from relay.store.guarding import guard, ledger
from relay.store.state import checking, effects, lanes, rows
from relay.store.state.records import ChangeState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relay.store.file.transaction import Transaction
    from relay.store.operate.held import Held


def _still(tx: Transaction, seen: list[Held]) -> list[Held]:
    """What is held as it was seen: who was written to since, or was decided on, is not meant."""
    return [
        one
        for one in seen
        if tx.one(
            "SELECT 1 FROM effect WHERE resource = ? AND key = ? AND last = ? AND held_by NOTNULL",
            (one.resource, one.key, one.change),
        )
    ]


def approve(tx: Transaction, seen: list[Held], actor: str, reason: str) -> list[Held]:
    """Let a batch of held effects go; those that were held still."""
    found = _still(tx, seen)
    for one in found:
        tx.run(
            "UPDATE effect SET held_by = NULL, held_at = NULL, state = iif(key > 0 AND revokes = 0"
            " AND (SELECT target_id FROM resource u WHERE u.id = key) IS NULL, 'waiting', 'open')"
            " WHERE resource = ? AND key = ?",
            (one.resource, one.key),
        )
        if one.revokes:
            ledger.approve(tx, one.resource, one.key, one.change, one.connection)
        _note(tx, "approved", one, actor, reason)
    _after(tx, {one.resource for one in found})
    return found


def reject(tx: Transaction, seen: list[Held], actor: str, reason: str) -> list[Held]:
    """Undo a batch of held effects: their keys are desired as they were; those that were undone.

    A deletion that cannot be undone yet stays held. What was beneath one that is undone is asked
    about again: nobody has seen it.
    """
    found = [one for one in _still(tx, seen) if not _under_another_name(tx, one)]
    for one in found:
        _note(tx, "rejected", one, actor, reason)
        ledger.strike_out(tx, one.resource, [one.key])
        tx.run(
            "INSERT OR REPLACE INTO rejected (resource, key, connection, change, at, actor, reason)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (one.resource, one.key, one.connection, one.change, tx.now, actor, reason),
        )
    refusal = Refusal(403, f"an operator rejected it: {reason}")
    by_resource: dict[int, list[int]] = {}
    for one in found:
        by_resource.setdefault(one.resource, []).append(one.key)
    for resource in sorted(by_resource, key=lambda row: _turn(tx, row, by_resource[row])):
        _undo(tx, resource, by_resource[resource], refusal)
    _after(tx, by_resource)
    return found


def _under_another_name(tx: Transaction, one: Held) -> bool:
    """Whether a deletion waits for the creation before it, and nobody could take over what it made.

    It is under way with a name that nobody has here; the name it was to have is a successor's.
    """
    if one.key != Key.EXISTS:
        return False
    resource = rows.by_row(tx, one.resource)
    if resource.wanted or resource.c_exists or resource.sent_name is None:
        return False
    renamed = resource.sent_name.casefold() != resource.name_key
    return renamed and rows.live_by_name(tx, resource.type, resource.name) is not None


def _turn(tx: Transaction, row: int, keys: list[int]) -> tuple[bool, bool]:
    """Creations first: whoever is not created leaves the name to who had it before. Parts last."""
    resource = rows.by_row(tx, row)
    return (Key.EXISTS not in keys or not resource.wanted, resource.part_of is not None)


def _undo(tx: Transaction, row: int, keys: list[int], refusal: Refusal) -> None:
    resource = rows.by_row(tx, row)
    if Key.EXISTS in keys and not _is_held(tx, row):
        return  # a part that was kept with its group
    if Key.EXISTS in keys and not resource.c_exists:
        # A successor of its name takes over whatever became of it.
        if resource.wanted or rows.live_by_name(tx, resource.type, resource.name) is not None:
            parking.park_creation(tx, resource, refusal, ChangeState.DROPPED)
        else:
            merging.create_after_all(tx, resource, refusal)
        return
    if Key.EXISTS in keys:
        _drop(tx, row, keys, refusal, {})
        merging.keep(tx, resource)
        return
    kept: dict[int, int] = {}
    for key in keys:
        effect = effects.find(tx, row, key)
        if effect is None:
            continue  # what was rejected before it in a nested group has dissolved it
        earlier = returning.beneath_held(tx, row, effect)
        if earlier is not None:
            kept[key] = earlier[0]
        tx.run(
            "UPDATE effect SET state = 'open', held_by = NULL, held_at = NULL, revokes = 0"
            " WHERE resource = ? AND key = ?",
            (row, key),
        )
        returning.return_to(tx, rows.by_row(tx, row), effect, earlier)
        _take_nothing(tx, row, key)
    _drop(tx, row, keys, refusal, kept)
    effects.settle_changes(tx, row)
    dependents.park(tx, row)


def _take_nothing(tx: Transaction, row: int, key: int) -> None:
    """A loss that was repeated (K3) and rejected is not sent to make sure of it.

    TFE is read, and what differs then is asked about.
    """
    effect = effects.find(tx, row, key)
    if effect is not None and effect.revokes:
        effects.close(tx, row, key)
        checking.mark_late(tx, row)


def _is_held(tx: Transaction, row: int) -> bool:
    existence = effects.find(tx, row, Key.EXISTS)
    return existence is not None and existence.state == EffectState.HELD


def _drop(
    tx: Transaction,
    row: int,
    keys: Iterable[int],
    refusal: Refusal,
    kept: dict[int, int],
) -> None:
    """End the changes of which nothing else is left to send; the others end with the rest.

    Args:
        tx: the transaction.
        row: their resource.
        keys: what was rejected.
        refusal: what is said of them.
        kept: by key, up to which change what was written stands: nobody held that.
    """
    rejected = set(keys)
    still = {
        effect.key: effect.first
        for effect in effects.unsettled(tx, row)
        if effect.key not in rejected
    }
    for change, writes in returning.pending(tx, row):
        written = effects.keys_written(writes)
        open_now = any(
            still.get(key, change + 1) <= change or change <= kept.get(key, 0) for key in written
        )
        if written & rejected and not open_now:
            parking.end_change(tx, change, ChangeState.DROPPED, refusal)


def _after(tx: Transaction, resources: Iterable[int]) -> None:
    for resource in resources:
        lanes.renew(tx, rows.by_row(tx, resource))
        lanes.wake_behind(tx, resource)
    guard.end_trips(tx)
    tx.outbox.work = True


def _note(tx: Transaction, decision: str, one: Held, actor: str, reason: str) -> None:
    tx.audit(
        decision,
        actor,
        change=one.change,
        resource=one.resource,
        what={"key": one.key},
        reason=reason,
    )
