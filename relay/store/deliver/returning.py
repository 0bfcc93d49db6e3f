"""Taking a key back to what its surviving changes wrote (semantics S1: base plus the survivors)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.rules.effects import (
    FIELD_OF,
    Key,
    shadow_attribute,
)
from relay.rules.types import Field, Kind
from relay.store.file.transaction import Transaction, from_json, to_json
from relay.store.groups import nesting, part_upkeep, reseating
from relay.store.state import checking, effects, rosters, rows
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


def survivor(
    tx: Transaction, resource: int, effect: Effect
) -> tuple[int, dict[str, object]] | None:
    """The pending change before the last that wrote a key: what the key returns to (S1)."""
    earlier = None
    for change, writes in pending(tx, resource):
        if change < effect.last and effect.key in effects.keys_written(writes):
            earlier = (change, writes)
    return earlier


def awaited(tx: Transaction, resource: int, effect: Effect) -> bool:
    """Whether a change that has not ended wrote a key as it is desired now, or before that."""
    return any(
        change <= effect.last and effect.key in effects.keys_written(writes)
        for change, writes in pending(tx, resource)
    )


def believe_target(tx: Transaction, resource: ResourceRow, effect: Effect) -> None:
    """Let a key return to what TFE has: its `base`, here and in the row."""
    if effect.key > 0:
        effect.base = to_json(int(bool(rosters.state(tx, resource.id, effect.key)[1])))
    elif resource.confirmed is not None:
        field = FIELD_OF[Key(effect.key)]
        value = getattr(resource.confirmed, field)
        shown = [{"value": value}] if field is Field.EMAIL and value else value
        effect.base = to_json({"v": value, "s": shown})
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
    if there:
        effects.close(tx, resource.id, effect.key)
    else:
        _ask_if_unknown(tx, resource, effect)
        tx.run(
            "UPDATE effect SET last = ?, slice = 0 WHERE resource = ? AND key = ?",
            (earlier[0] if earlier else effect.first, resource.id, effect.key),
        )
    if effect.key > 0:
        connection = _connection(tx, effect)
        reseating.relieve(tx, resource, connection)
        reach = nesting.reach(tx, resource.part_of or resource.id, [effect.key])
        nesting.follow(tx, reach, connection)
    return there


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


def _connection(tx: Transaction, effect: Effect) -> str:
    return tx.value("SELECT connection FROM change WHERE id = ?", (effect.last,)) or "relay"


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
    reseating.put(tx, group, effect.key, _connection(tx, effect), want=wanted)
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
        base = from_json(effect.base)
        value, written = base["v"], base["s"]
    else:
        writes = from_json(to_json(earlier[1]))
        value, written = writes["f"][field.value], writes.get("s", {}).get(attribute)
    rows.set_desired(tx, resource.id, field, value)
    shadow = from_json(tx.value("SELECT shadow FROM resource WHERE id = ?", (resource.id,)))
    shadow = {name: kept for name, kept in shadow.items() if name != attribute}
    if written is not None:
        shadow[attribute] = written
    tx.run("UPDATE resource SET shadow = ? WHERE id = ?", (to_json(shadow), resource.id))
    if field is Field.NAME and resource.type is Kind.GROUP and resource.part_of is None:
        now = rows.by_row(tx, resource.id)
        part_upkeep.rename(tx, now, _connection(tx, effect), None)
    confirmed = resource.confirmed
    return (
        confirmed is not None and getattr(confirmed, field) == value and not effect.unknown
    ) or not resource.c_exists


def undo_rest(tx: Transaction, resource: int, change: int) -> None:
    """Take back what the change wrote beside the keys TFE knows, unless another wrote since."""
    tx.run(
        "UPDATE resource SET shadow = (SELECT undo FROM change WHERE id = ?1)"
        " WHERE id = ?2 AND last_change = ?1"
        " AND (SELECT undo FROM change WHERE id = ?1) IS NOT NULL",
        (change, resource),
    )
    tx.run("UPDATE change SET undo = NULL WHERE id = ?", (change,))
