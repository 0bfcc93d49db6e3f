"""`changes drop`: an operator ends a change, with a reason.

What it wrote and TFE has not taken returns to the survivors (semantics S1). It is the only end of a
revocation that TFE refuses; where it leaves TFE and the IdP apart, a row says so until they agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relay.errors import Refused
from relay.rules.effects import Key
from relay.rules.types import Kind
from relay.store.deliver import dependents, merging, parking, returning, taking_back
from relay.store.deliver.parking import Refusal
from relay.store.edits import removing
from relay.store.file.transaction import from_json
from relay.store.groups import nesting, part_upkeep, seating
from relay.store.guarding import guard
from relay.store.operate import retrying
from relay.store.state import effects, finishing, lanes, rows
from relay.store.state.records import ChangeState

if TYPE_CHECKING:
    from relay.store.file.transaction import Transaction
    from relay.store.state.rows import ResourceRow


def drop(tx: Transaction, change: int, actor: str, reason: str) -> None:
    """End a parked or pending change.

    Raises:
        Refused: there is none, it has ended, or it may be under way to TFE.
    """
    row = tx.one("SELECT resource, state, writes FROM change WHERE id = ?", (change,))
    if row is None:
        raise Refused(404, f"no change has the number {change}")
    resource, state, writes = rows.by_row(tx, row[0]), row[1], from_json(row[2])
    tx.audit("dropped", actor, change=change, resource=resource.id, reason=reason)
    match state:
        case ChangeState.PARKED:
            _forget(tx, resource, change, writes)
            if resource.state == rows.PARKED and not writes.get("exists"):
                taking_back.take_back(tx, resource, change, writes)
                _note_difference(tx, resource, change, writes, (actor, reason))
                if not _parked_still(tx, resource):
                    retrying.create_anew(tx, rows.by_row(tx, resource.id))
        case ChangeState.PENDING:
            refusal = Refusal(410, f"dropped by an operator: {reason}")
            _undo(tx, resource, change, writes, refusal)
            _note_difference(tx, resource, change, writes, (actor, reason))
        case _:
            raise Refused(409, f"change {change} is {state}: there is nothing to drop")
    lanes.renew(tx, rows.by_row(tx, resource.id))
    lanes.wake_behind(tx, resource.id)
    guard.end_trips(tx)
    tx.outbox.work = True


def _forget(tx: Transaction, resource: ResourceRow, change: int, writes: dict[str, Any]) -> None:
    """A parked change is desired by nobody any more; what is left of it is its note."""
    ended = tx.all(
        f"UPDATE change SET state = 'dropped', settled_at = ? WHERE id = ? {finishing.RETURNING}",
        (tx.now, change),
    )
    finishing.tell(tx, ended)
    tx.count(ChangeState.PARKED.value, by=-1)
    tx.count(ChangeState.DROPPED.value)
    if resource.state != rows.PARKED:
        tx.run(
            "DELETE FROM effect WHERE resource = ? AND state = 'parked' AND last = ?",
            (resource.id, change),
        )
    elif not _keep_note(tx, resource) and writes.get("exists"):
        _gone(tx, resource)


def _parked_still(tx: Transaction, resource: ResourceRow) -> bool:
    parked = "SELECT 1 FROM change WHERE resource = ? AND state = 'parked' LIMIT 1"
    return tx.one(parked, (resource.id,)) is not None


def _keep_note(tx: Transaction, resource: ResourceRow) -> bool:
    """The note of a creation that is still parked goes to the last of its changes; False: none is.

    It says what the IdP is told, and what the creation waits for (S2).
    """
    last = tx.value(
        "SELECT max(id) FROM change WHERE resource = ?1 AND state = 'parked' AND EXISTS (SELECT 1"
        " FROM change c WHERE c.resource = ?1 AND c.state = 'parked'"
        " AND json_extract(c.writes, '$.exists'))",
        (resource.id,),
    )
    if last is None:
        return False
    tx.run(
        "UPDATE effect SET first = ?2, last = ?2 WHERE resource = ?1 AND key = 0"
        " AND state = 'parked'",
        (resource.id, last),
    )
    return True


def _gone(tx: Transaction, resource: ResourceRow) -> None:
    """A resource that TFE never had is no more; nor is it in any group above it."""
    reach = nesting.reach(tx, resource.part_of or resource.id)
    connection = effects.connection_of(tx, resource.last_change)
    if resource.part_of is not None:
        seating.release(tx, resource)
    removing.gone(tx, resource)
    tx.run("DELETE FROM rejected WHERE resource = ?", (resource.id,))
    part_upkeep.end(tx, resource, connection)
    nesting.follow(tx, reach, connection)


def _undo(
    tx: Transaction,
    resource: ResourceRow,
    change: int,
    writes: dict[str, Any],
    refusal: Refusal,
) -> None:
    if tx.value("SELECT state FROM lane WHERE resource = ?", (resource.id,)) == "sending":
        raise Refused(409, f"change {change} is being sent; ask again in a moment")
    if writes.get("exists"):
        _undo_creation(tx, resource, change, refusal)
        return
    if "exists" in writes:
        if not resource.c_exists:
            raise Refused(409, f"change {change} waits for the look-up of a creation in doubt")
        parking.end_change(tx, change, ChangeState.DROPPED, refusal)
        merging.keep(tx, resource)
        return
    for key in sorted(effects.keys_written(writes)):
        effect = effects.find(tx, resource.id, key)
        if effect is not None and effect.state != "parked" and effect.last == change:
            earlier = returning.survivor(returning.writers(tx, resource.id, effect), effect)
            returning.return_to(tx, rows.by_row(tx, resource.id), effect, earlier)
    parking.end_change(tx, change, ChangeState.DROPPED, refusal)
    effects.settle_changes(tx, resource.id)
    dependents.park(tx, resource.id)


def _undo_creation(tx: Transaction, resource: ResourceRow, change: int, refusal: Refusal) -> None:
    existence = effects.find(tx, resource.id, Key.EXISTS)
    if existence is None or resource.c_exists:
        raise Refused(409, f"change {change} created something that is there already: DELETE it")
    if existence.unknown:
        raise Refused(409, f"change {change} may have reached TFE; its look-up must come first")
    parking.park_creation(tx, resource, refusal, ChangeState.DROPPED)
    _gone(tx, rows.by_row(tx, resource.id))


def _note_difference(
    tx: Transaction,
    resource: ResourceRow,
    change: int,
    writes: dict[str, Any],
    who: tuple[str, str],
) -> None:
    """Where the IdP believes what is not so: a revocation that was dropped (see `rejected`)."""
    keys = list(writes.get("-", ()))
    if writes.get("f", {}).get("active") is False and resource.type is Kind.USER:
        keys.append(int(Key.ACTIVE))
    if writes.get("exists") is False:
        keys.append(int(Key.EXISTS))
    connection = effects.connection_of(tx, change)
    tx.each(
        "INSERT OR REPLACE INTO rejected (resource, key, connection, change, at, actor, reason)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(resource.id, key, connection, change, tx.now, *who) for key in keys],
    )
