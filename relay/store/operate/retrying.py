"""`changes retry`: a parked change is tried again, a waiting one at once.

A retry writes again only the keys that no later change wrote (semantics S5); changes that were
parked because of this one are tried with it (S2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relay.errors import Refused
from relay.rules.effects import FIELD_OF, Key, as_created, revokes, shadow_attribute
from relay.rules.types import Field
from relay.store.deliver import dependents, taking_back
from relay.store.deliver.taking_back import Ground
from relay.store.edits import naming, writing
from relay.store.file.transaction import from_json, to_json
from relay.store.groups import nesting, part_upkeep, parts, reseating, seating
from relay.store.guarding import guard
from relay.store.state import effects, lanes, rosters, rows
from relay.store.state.records import ChangeState

if TYPE_CHECKING:
    from relay.rules.contract import TargetProfile
    from relay.store.file.transaction import Transaction
    from relay.store.state.rows import ResourceRow


def retry(
    tx: Transaction, change: int, actor: str, reason: str, profile: TargetProfile
) -> list[int]:
    """Try a change again; the changes that are pending because of it.

    Raises:
        Refused: it is neither parked nor waiting, or its name is another's now.
    """
    row = tx.one("SELECT resource, state FROM change WHERE id = ?", (change,))
    if row is None:
        raise Refused(404, f"no change has the number {change}")
    resource, state = rows.by_row(tx, row[0]), row[1]
    match state:
        case ChangeState.PENDING:
            _hurry(tx, resource)
            tried = [change]
        case ChangeState.PARKED if resource.state == rows.PARKED:
            tried = _create_again(tx, resource, profile)
        case ChangeState.PARKED if resource.state == rows.LIVE:
            _write_again(tx, resource, change, profile)
            tried = [change]
        case ChangeState.PARKED:
            raise Refused(409, f"change {change} is of a {resource.kind} that was deleted since")
        case _:
            raise Refused(409, f"change {change} is {state}: there is nothing to try again")
    for one in tried:
        tx.audit("retried", actor, change=one, resource=resource.id, reason=reason)
    waiting = [other for one in tried for other in dependents.of(tx, one) if other not in tried]
    for other in waiting:
        tried += retry(tx, other, actor, reason, profile)
    tx.outbox.work = True
    return tried


def _hurry(tx: Transaction, resource: ResourceRow) -> None:
    """Clear every wait that a failure caused; what the guard holds stays held."""
    tx.run("UPDATE effect SET due = 0 WHERE resource = ? AND state = 'open'", (resource.id,))
    tx.run("UPDATE lane SET strikes = 0, struck = 0 WHERE resource = ?", (resource.id,))
    lanes.renew(tx, resource)


def _pending_again(tx: Transaction, change: int) -> None:
    tx.run(
        "UPDATE change SET state = 'pending', settled_at = NULL, status = NULL, scim_type = NULL,"
        " detail = NULL WHERE id = ?",
        (change,),
    )
    tx.count(ChangeState.PARKED.value, by=-1)
    tx.count(ChangeState.PENDING.value)


def _create_again(tx: Transaction, resource: ResourceRow, profile: TargetProfile) -> list[int]:
    """A creation, and the edits that were parked on top of it, as they were accepted.

    Of what TFE lost and refused to create anew only the edits are parked: they are delivered with
    its creation, all of them.
    """
    naming.refuse_taken_name(tx, resource.type, resource.name, resource.id, profile)
    first, ground = _first_parked(tx, resource.id)
    again = tx.all(
        "SELECT id, writes FROM change WHERE resource = ? AND state = 'parked' AND id >= ?"
        " ORDER BY id",
        (resource.id, first),
    )
    _revive(tx, resource.id)
    before = {} if ground is None else _fields_of(ground)
    for change, text in again:
        writes = from_json(text)
        _pending_again(tx, change)
        if ground is not None or writes.get("exists"):
            effects.write(tx, resource.id, Key.EXISTS, change, base=None, revokes=False)
        if not writes.get("exists"):
            _edit_again(tx, resource, change, writes, before)
        before = before | writes.get("f", {})
        _join_again(tx, resource, change, writes)
    # Who came through nested groups meanwhile, or by a change that has ended since.
    _join_again(tx, resource, first, {"+": rosters.unsent(tx, resource.id)})
    connection = effects.connection_of(tx, first)
    opened = [effect.key for effect in effects.unsettled(tx, resource.id)]
    guard.review_opened(tx, rows.by_row(tx, resource.id), connection, opened)
    lanes.touch(tx, rows.by_row(tx, resource.id), first)
    reseating.relieve(tx, resource, connection)
    return [change for change, _ in again]


def create_anew(tx: Transaction, resource: ResourceRow) -> None:
    """What TFE lost is wanted still once the last edit above it was dropped: tried without it.

    Unless its name is another's by now: then it stays as it is.
    """
    if rows.live_by_name(tx, resource.type, resource.name) is not None:
        return
    change = resource.last_change
    _revive(tx, resource.id)
    effects.write(tx, resource.id, Key.EXISTS, change, base=None, revokes=False)
    users = rosters.unsent(tx, resource.id)
    _join_again(tx, resource, change, {"+": users})
    connection = effects.connection_of(tx, change)
    guard.review_opened(tx, rows.by_row(tx, resource.id), connection, [Key.EXISTS, *users])
    reseating.relieve(tx, resource, connection)


def _revive(tx: Transaction, resource: int) -> None:
    """It is desired again, and nothing that was noted of its refusals is true any more."""
    tx.run("DELETE FROM effect WHERE resource = ? AND state = 'parked'", (resource,))
    tx.run("UPDATE resource SET state = 'live' WHERE id = ?", (resource,))


def _first_parked(tx: Transaction, resource: int) -> tuple[int, Ground | None]:
    """The parked change to begin with; and what was before it, if no creation is among them."""
    creation, oldest = tx.one(
        "SELECT max(id) FILTER (WHERE json_extract(writes, '$.exists')), min(id) FROM change"
        " WHERE resource = ? AND state = 'parked'",
        (resource,),
    )
    ground = taking_back.ground(tx, resource)
    if ground is not None:
        return ground.since, ground
    return (oldest, Ground(oldest, {})) if creation is None else (creation, None)


def _fields_of(ground: Ground) -> dict[str, Any]:
    return {FIELD_OF[Key(key)].value: base["v"] for key, base in ground.was.items() if key < 0}


def _edit_again(
    tx: Transaction, resource: ResourceRow, change: int, writes: dict[str, Any], before: Any
) -> None:
    """An edit on top of a creation: its base is what the creation, or the edit before, wrote."""
    for name in writes.get("f", {}):
        field = Field(name)
        key = next(key for key, found in FIELD_OF.items() if found is field)
        if name not in before:
            continue  # nothing was noted of it: its creation brings it
        base, taking = as_created(field, before[name]), revokes(key, writes["f"][name])
        effects.write(tx, resource.id, key, change, base=base, revokes=taking)


def _join_again(tx: Transaction, group: ResourceRow, change: int, writes: dict[str, Any]) -> None:
    for user in writes.get("+", ()):
        desired, confirmed = rosters.state(tx, group.id, user)
        if desired and confirmed != 1:
            writing.open_member(tx, group.id, user, change, want=True, base=0)


def _write_again(
    tx: Transaction, resource: ResourceRow, change: int, profile: TargetProfile
) -> None:
    """The keys of a parked change that no later change wrote."""
    writes = from_json(tx.value("SELECT writes FROM change WHERE id = ?", (change,)))
    mine = effects.keys_written(writes) - _written_after(tx, resource, change)
    fields = {name: value for name, value in writes.get("f", {}).items() if _key(name) in mine}
    if "name" in fields:
        naming.refuse_taken_name(tx, resource.type, fields["name"], resource.id, profile)
    _pending_again(tx, change)
    tx.run(
        "DELETE FROM effect WHERE resource = ? AND state = 'parked' AND last = ?",
        (resource.id, change),
    )
    _set_fields(tx, resource, change, fields, writes.get("s", {}))
    connection = effects.connection_of(tx, change)
    if "name" in fields and resource.part_of is None:
        part_upkeep.rename(tx, rows.by_row(tx, resource.id), connection, profile)
    wanted = {user: True for user in _known(tx, writes.get("+", ())) if user in mine}
    wanted |= {user: False for user in writes.get("-", ()) if user in mine}
    if wanted:
        _members_again(tx, resource, wanted, change, (connection, profile))
    nesting.follow(tx, nesting.reach(tx, resource.part_of or resource.id, wanted), connection)
    guard.review_opened(tx, rows.by_row(tx, resource.id), connection, mine)
    lanes.touch(tx, rows.by_row(tx, resource.id), change)
    effects.settle_changes(tx, resource.id)
    lanes.renew(tx, rows.by_row(tx, resource.id))


def _known(tx: Transaction, users: list[int]) -> list[int]:
    """Of these the ones that are not deleted: nobody else joins anything any more."""
    found = tx.all(
        "SELECT u.id FROM json_each(?) AS named CROSS JOIN resource u ON u.id = named.value"
        " WHERE u.state IN (?, ?)",
        (to_json(users), rows.LIVE, rows.PARKED),
    )
    return [user for (user,) in found]


def _members_again(
    tx: Transaction,
    resource: ResourceRow,
    wanted: dict[int, bool],
    change: int,
    rules: tuple[str, TargetProfile],
) -> None:
    """Memberships again: of one part, or of the whole group, each where there is room now."""
    connection, profile = rules
    whole = rows.by_row(tx, resource.part_of or resource.id)
    seated = seating.spread(tx, whole, wanted, profile.max_members)
    if resource.part_of is None:
        parts.write(tx, resource, seated, change)
        parts.follow(tx, resource.id, seated, connection)
    else:
        parts.write_part(tx, resource, seated, change, connection)


def _key(name: str) -> int:
    return next(key for key, field in FIELD_OF.items() if field.value == name)


def _written_after(tx: Transaction, resource: ResourceRow, change: int) -> set[int]:
    """The keys written later; a member may have been written in another part since."""
    later = tx.all(
        "SELECT resource, writes FROM change WHERE id > ?2 AND state IN ('pending', 'delivered')"
        " AND resource IN (SELECT ?1 UNION SELECT id FROM resource WHERE part_of = ?1)",
        (resource.part_of or resource.id, change),
    )
    return {
        key
        for row, text in later
        for key in effects.keys_written(from_json(text))
        if key > 0 or row == resource.id
    }


def _set_fields(
    tx: Transaction,
    resource: ResourceRow,
    change: int,
    fields: dict[str, Any],
    written: dict[str, Any],
) -> None:
    old, shadow = resource.desired, from_json(resource.shadow)
    new_shadow = dict(shadow)
    for name, value in fields.items():
        attribute = shadow_attribute(resource.type, Field(name))
        rows.set_desired(tx, resource.id, Field(name), value)
        if written.get(attribute) is None:
            new_shadow.pop(attribute, None)
        else:
            new_shadow[attribute] = written[attribute]
    tx.run(
        "UPDATE resource SET shadow = ?, modified = ? WHERE id = ?",
        (to_json(new_shadow), tx.now, resource.id),
    )
    now = rows.by_row(tx, resource.id)
    for name in fields:
        writing.write_field(tx, now, Field(name), change, (old, now.desired, shadow))
