"""Taking a key back to what its surviving changes wrote (semantics S1: base plus the survivors)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relay.rules.effects import (
    FIELD_OF,
    Key,
    as_created,
    revokes,
    shadow_attribute,
)
from relay.rules.types import Field, Kind
from relay.store.file.transaction import Transaction, from_json, to_json
from relay.store.groups import nesting, part_upkeep, reseating
from relay.store.guarding import guard, ledger
from relay.store.state import beneath, checking, effects, names, rosters, rows
from relay.store.state.claims import UNKNOWN

if TYPE_CHECKING:
    from relay.store.state.effects import Effect
    from relay.store.state.rows import ResourceRow


def desired_value(tx: Transaction, resource: ResourceRow, key: int) -> object:
    """What a key is desired to be: a field's value, or whether a user is a member."""
    if key > 0:
        return bool(rosters.state(tx, resource.id, key)[0])
    return getattr(resource.desired, FIELD_OF[Key(key)])


def pending(tx: Transaction, resource: int) -> list[tuple[int, dict[str, object]]]:
    """The changes of a resource that have not ended, oldest first, and what each wrote."""
    return [
        (change, from_json(writes))
        for change, writes in tx.all(
            "SELECT id, writes FROM change WHERE resource = ? AND state = 'pending' ORDER BY id",
            (resource,),
        )
    ]


def writers(tx: Transaction, resource: int, effect: Effect) -> list[tuple[int, dict[str, object]]]:
    """The pending changes that wrote a key since its effect opened.

    What was written before that was undone or sent meanwhile: the effect's base is younger.
    """
    return [
        (change, writes)
        for change, writes in pending(tx, resource)
        if effect.first <= change <= effect.last and effect.key in effects.keys_written(writes)
    ]


def survivor(
    wrote: list[tuple[int, dict[str, object]]], effect: Effect
) -> tuple[int, dict[str, object]] | None:
    """Of a key's writers the one before the last: what the key returns to (S1)."""
    earlier = [one for one in wrote if one[0] < effect.last]
    return earlier[-1] if earlier else None


def beneath_held(
    tx: Transaction, resource: int, effect: Effect
) -> tuple[int, dict[str, object]] | None:
    """The pending change to which the rejection of a held effect returns its key; None: its base.

    Of a field it is the last that was not held itself. What took access away beneath a rejected
    loss is not it: of a membership only an addition is.
    """
    if effect.key < 0:
        return None if effect.revokes else beneath.change(tx, resource, effect.key)
    if not effect.revokes:
        return None
    wrote = writers(tx, resource, effect)
    added = [one for one in wrote if effect.key in from_json(to_json(one[1].get("+", [])))]
    return added[-1] if added else None


def _held_since(effect: Effect) -> int | None:
    """From which change on a field is held, or None: it is not, or all of it is."""
    base = from_json(effect.base)
    return base.get("held") if isinstance(base, dict) and effect.state == "held" else None


def believe_target(tx: Transaction, resource: ResourceRow, effect: Effect) -> None:
    """Let a key return to what TFE has: its `base`, here and in the row."""
    if effect.key > 0:
        effect.base = to_json(int(bool(rosters.state(tx, resource.id, effect.key)[1])))
    elif resource.confirmed is not None:
        field = FIELD_OF[Key(effect.key)]
        effect.base = to_json(as_created(field, getattr(resource.confirmed, field)))
    tx.run(
        "UPDATE effect SET base = ? WHERE resource = ? AND key = ?",
        (effect.base, resource.id, effect.key),
    )


def return_to(
    tx: Transaction,
    resource: ResourceRow,
    effect: Effect,
    earlier: tuple[int, dict[str, object]] | None,
) -> bool:
    """Take a key back to what an earlier change, or nobody, wrote; True if nothing is open then."""
    if effect.key > 0:
        there = _return_member(tx, resource, effect, earlier)
    else:
        there = _return_field(tx, resource, effect, earlier)
    taking = revokes(effect.key, desired_value(tx, rows.by_row(tx, resource.id), effect.key))
    if effect.revokes and not taking:
        ledger.strike_out(tx, resource.id, [effect.key])
    if there:
        effects.close(tx, resource.id, effect.key)
    else:
        _ask_if_unknown(tx, resource, effect)
        tx.run(
            "UPDATE effect SET last = ?, slice = 0, revokes = ? WHERE resource = ? AND key = ?",
            (earlier[0] if earlier else effect.first, taking, resource.id, effect.key),
        )
        if taking != bool(effect.revokes):
            _turn(tx, resource, effect, taking=taking)
        elif (earlier[0] if earlier else effect.first) < (_held_since(effect) or 0):
            _let_go(tx, resource.id, effect.key)  # nobody held what stood beneath
    if effect.key > 0:
        connection = effects.connection_of(tx, effect.last)
        reseating.relieve(tx, resource, connection)
        reach = nesting.reach(tx, resource.part_of or resource.id, [effect.key])
        nesting.follow(tx, reach, connection)
    return there


def _let_go(tx: Transaction, resource: int, key: int) -> None:
    tx.run(
        "UPDATE effect SET state = 'open', held_by = NULL, held_at = NULL"
        " WHERE resource = ? AND key = ?",
        (resource, key),
    )


def _turn(tx: Transaction, resource: ResourceRow, effect: Effect, *, taking: bool) -> None:
    """What gave access takes it away now, or the other way: nothing said of the one is true still.

    What is the same as before stays as it stood: what the guard holds is not sent unasked.
    """
    tx.run(
        "UPDATE effect SET state = iif(key > 0 AND NOT ?3 AND (SELECT target_id FROM resource u"
        " WHERE u.id = key) IS NULL, 'waiting', 'open'), held_by = NULL, held_at = NULL,"
        " reason = NULL, refusals = 0, due = 0 WHERE resource = ?1 AND key = ?2",
        (resource.id, effect.key, taking),
    )
    connection = effects.connection_of(tx, effect.last)
    guard.review_opened(tx, rows.by_row(tx, resource.id), connection, [effect.key])


def _ask_if_unknown(tx: Transaction, resource: ResourceRow, effect: Effect) -> None:
    """What may have had its effect (a 500, a drop in doubt) is settled by a read, not by writes.

    TFE may execute it after that read: it is read once more when it cannot any longer (K2).
    """
    unknown = effect.unknown or (
        effect.key > 0 and rosters.state(tx, resource.id, effect.key)[1] == UNKNOWN
    )
    if unknown and resource.target_id is not None:
        tx.run("UPDATE lane SET ask = 'id', doubt = 'ambiguous' WHERE resource = ?", (resource.id,))
        checking.mark_late(tx, resource.id)


def _return_member(
    tx: Transaction,
    group: ResourceRow,
    effect: Effect,
    earlier: tuple[int, dict[str, object]] | None,
) -> bool:
    _, confirmed = rosters.state(tx, group.id, effect.key)
    wanted = bool(from_json(effect.base))
    if earlier is not None:
        wanted = effect.key in set(from_json(to_json(earlier[1].get("+", []))))
    reseating.put(tx, group, effect.key, effects.connection_of(tx, effect.last), want=wanted)
    rosters.forget_absent(tx, group.id, effect.key)
    return confirmed == wanted


def _return_field(
    tx: Transaction,
    resource: ResourceRow,
    effect: Effect,
    earlier: tuple[int, dict[str, object]] | None,
) -> bool:
    field = FIELD_OF[Key(effect.key)]
    attribute = shadow_attribute(resource.type, field)
    if earlier is None:
        base = _base(tx, resource, effect, field)
        value, written = base["v"], base["s"]
    else:
        writes = from_json(to_json(earlier[1]))
        value, written = writes["f"][field.value], writes.get("s", {}).get(attribute)
    put_field(tx, resource, field, (value, written), effects.connection_of(tx, effect.last))
    if not resource.c_exists:
        # Its creation brings the value over, unless one is under way with another.
        existence = effects.find(tx, resource.id, Key.EXISTS)
        return existence is None or not existence.unknown
    confirmed = resource.confirmed
    return confirmed is not None and getattr(confirmed, field) == value and not effect.unknown


def _base(
    tx: Transaction, resource: ResourceRow, effect: Effect, field: Field
) -> dict[str, object]:
    """What a field was before its changes.

    In a ring of names another may have been given this one since (S3), and nothing of that is to be
    taken back: then the IdP reads the name that TFE has.
    """
    base: dict[str, object] = from_json(effect.base)
    if field is not Field.NAME or resource.c_name is None:
        return base
    taker = names.given_to(tx, resource, str(base["v"]))
    if taker is None:
        return base
    said = f"the name before is {taker.public_id}'s by now"
    tx.audit("name not returned", "relay", change=effect.last, resource=resource.id, detail=said)
    return as_created(field, resource.c_name)


def put_field(
    tx: Transaction, resource: ResourceRow, field: Field, values: tuple[Any, Any], connection: str
) -> None:
    """Have a field desired, and read by the IdP, as it once was written."""
    value, written = values
    attribute = shadow_attribute(resource.type, field)
    rows.set_desired(tx, resource.id, field, value)
    shadow = from_json(tx.value("SELECT shadow FROM resource WHERE id = ?", (resource.id,)))
    shadow = {name: kept for name, kept in shadow.items() if name != attribute}
    if written is not None:
        shadow[attribute] = written
    tx.run("UPDATE resource SET shadow = ? WHERE id = ?", (to_json(shadow), resource.id))
    if field is Field.NAME and resource.type is Kind.GROUP and resource.part_of is None:
        part_upkeep.rename(tx, rows.by_row(tx, resource.id), connection, None)


def undo_rest(tx: Transaction, resource: int, change: int) -> None:
    """Take back what the change wrote beside the keys TFE knows, unless another wrote since."""
    tx.run(
        "UPDATE resource SET shadow = (SELECT undo FROM change WHERE id = ?1)"
        " WHERE id = ?2 AND last_change = ?1"
        " AND (SELECT undo FROM change WHERE id = ?1) IS NOT NULL",
        (change, resource),
    )
    tx.run("UPDATE change SET undo = NULL WHERE id = ?", (change,))
