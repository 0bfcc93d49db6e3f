"""Taking an edit back that was parked with its creation (semantics S1): nothing of it is open.

What stood before the edits is told by the creation beneath them; where TFE had lost the resource
nobody may have kept one, so the note of what was refused says it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relay.rules.effects import FIELD_OF, KEY_OF, Key, as_created, shadow_attribute
from relay.rules.types import Field, Kind
from relay.store.deliver import returning
from relay.store.file.transaction import Transaction, from_json, to_json
from relay.store.groups import nesting, reseating, seating
from relay.store.state import effects

if TYPE_CHECKING:
    from relay.store.state.rows import ResourceRow

Wrote = list[tuple[int, dict[str, Any]]]
"""Changes, oldest first, and what each wrote."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What the edits of a resource stand on that TFE lost and refuses to create anew.

    Attributes:
        since: the first of the edits.
        was: by key that they wrote, its value before them, as the base of an effect.
    """

    since: int
    was: dict[int, Any]


def ground_of(tx: Transaction, resource: int, edits: Wrote) -> str | None:
    """What is to be noted of edits that are parked without a creation; None: they have one."""
    if not edits or any("exists" in wrote for _, wrote in edits):
        return None
    keys = {key for _, wrote in edits for key in effects.keys_written(wrote)}
    was = {
        str(key): from_json(base)
        for key, base in tx.all(
            "SELECT key, base FROM effect WHERE resource = ? AND state <> 'parked'", (resource,)
        )
        if key in keys
    }
    return to_json({"since": edits[0][0], "was": was})


def ground(tx: Transaction, resource: int) -> Ground | None:
    """What was noted when the creation of what TFE had lost was parked, or None."""
    noted = from_json(
        tx.value(
            "SELECT base FROM effect WHERE resource = ? AND key = 0 AND state = 'parked'",
            (resource,),
        )
    )
    if noted is None:
        return None
    return Ground(noted["since"], {int(key): base for key, base in noted["was"].items()})


def take_back(tx: Transaction, resource: ResourceRow, change: int, writes: dict[str, Any]) -> None:
    """Take back what a change wrote on top of a creation that TFE refused.

    The changes beside it that stand tell what is desired without it; a later POST wrote everything
    anew.
    """
    standing = _standing(tx, resource, change)
    if standing is None:
        return
    was, others = standing
    after = {key for one, wrote in others if one > change for key in effects.keys_written(wrote)}
    before = [wrote for one, wrote in others if one < change]
    connection = effects.connection_of(tx, change)
    users = []
    for key in sorted(effects.keys_written(writes) - after - {Key.EXISTS}):
        if key > 0:
            _sit_as(tx, resource, key, (bool(was.get(key)), before), connection)
            users.append(key)
        elif key in was:
            field = FIELD_OF[Key(key)]
            values = _last_written(resource.type, field, was[key], before)
            returning.put_field(tx, resource, field, values, connection)
    nesting.follow(tx, nesting.reach(tx, resource.part_of or resource.id, users), connection)


def _standing(
    tx: Transaction, resource: ResourceRow, change: int
) -> tuple[dict[int, Any], Wrote] | None:
    """What was before all edits, and the other edits that stand; None: this one stands nowhere."""
    noted = ground(tx, resource.id)
    if noted is not None:
        others = _others(tx, resource, change, noted.since)
        return None if change < noted.since else (noted.was, others)
    creation = tx.value(
        "SELECT max(id) FROM change WHERE resource = ? AND json_extract(writes, '$.exists')",
        (resource.id,),
    )
    if creation is None or change < creation:
        return None
    wrote = from_json(tx.value("SELECT writes FROM change WHERE id = ?", (creation,)))
    was: dict[int, Any] = dict.fromkeys(wrote.get("+", ()), 1)
    was |= {
        int(KEY_OF[Field(name)]): as_created(Field(name), value)
        for name, value in wrote["f"].items()
    }
    return was, _others(tx, resource, change, creation + 1)


def _others(tx: Transaction, resource: ResourceRow, change: int, since: int) -> Wrote:
    return [
        (one, from_json(text))
        for one, text in tx.all(
            "SELECT id, writes FROM change WHERE resource = ? AND id >= ? AND id <> ?"
            " AND state IN ('parked', 'delivered') ORDER BY id",
            (resource.id, since, change),
        )
    ]


def _sit_as(
    tx: Transaction,
    group: ResourceRow,
    user: int,
    left: tuple[bool, list[dict[str, Any]]],
    connection: str,
) -> None:
    """Have a user in a group, or out of it, as the changes before left it, or elsewhere as now."""
    want, before = left
    for writes in before:
        want = user in writes.get("+", ()) or (want and user not in writes.get("-", ()))
    if not want or seating.seat(tx, group.part_of or group.id, user) is None:
        reseating.put(tx, group, user, connection, want=want)


def _last_written(
    kind: Kind, field: Field, base: dict[str, Any], before: list[dict[str, Any]]
) -> tuple[Any, Any]:
    """A field's value and its shadow as the last of the changes wrote them, or as it was."""
    value, written = base["v"], base["s"]
    for writes in before:
        if field.value in writes.get("f", {}):
            value = writes["f"][field.value]
            written = writes.get("s", {}).get(shadow_attribute(kind, field))
    return value, written
