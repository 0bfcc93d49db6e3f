"""From rows to a planner's snapshot: which effects are sent now, in TFE's ids."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from relay.rules.effects import FIELD_OF, Key, shadow_attribute
from relay.rules.planner_types import Snapshot
from relay.rules.types import Field, Fields, JsonObject, Kind
from relay.store.file.transaction import Transaction, from_json
from relay.store.state import beneath, names, rosters

if TYPE_CHECKING:
    from relay.rules.contract import TargetProfile
    from relay.store.state.rows import ResourceRow


@dataclass(frozen=True, slots=True)
class Draft:
    """A snapshot and what its ids mean here.

    Attributes:
        snapshot: for the planner.
        sent: the fields it brings TFE to.
        users: user rows by TFE id.
        keys: the effects it takes up.
        part: the slice of effects that it was made of.
        written: what the shadow says of those fields, in the IdP's own form.
        detour: a temporary name, when a ring of names is broken (S3).
    """

    snapshot: Snapshot
    sent: Fields
    users: dict[str, int]
    keys: tuple[int, ...]
    part: int
    written: JsonObject = field(default_factory=dict)
    detour: str | None = None


def draft(tx: Transaction, resource: ResourceRow, profile: TargetProfile) -> Draft | None:
    """What to plan for a lane now; None when nothing of it is due.

    Only the effects of the lowest slice are taken: slices are the parts of an unfolded plan (S7).
    """
    waits, detour = _way_of_name(tx, resource)
    part = _lowest(tx, resource.id, nameless=waits and not detour)
    if part is None:
        return None
    keys = _due_keys(tx, resource.id, part)
    if not resource.wanted:
        nothing = _snapshot(resource, None, frozenset())
        return Draft(nothing, resource.desired, {}, (Key.EXISTS,), part)
    sent, written = _sent(tx, resource, keys)
    opened = frozenset(FIELD_OF[Key(key)] for key in keys if key != Key.EXISTS)
    if waits:
        sent = replace(sent, name=detour or resource.c_name or resource.name)
        opened = frozenset({Field.NAME}) if detour else opened - {Field.NAME}
    if detour:
        snapshot = _snapshot(resource, sent, opened)
        return Draft(snapshot, sent, {}, (Key.NAME,), part, written, detour)
    add, remove = _members(tx, resource, part, profile.max_members - resource.c_size)
    users = {target: user for user, target in (*add, *remove)}
    snapshot = _snapshot(
        resource,
        sent,
        opened,
        tuple(target for _, target in add),
        tuple(target for _, target in remove),
        _whole_roster(tx, resource, len(remove), profile),
    )
    return Draft(snapshot, sent, users, (*keys, *users.values()), part, written)


def due_part(tx: Transaction, resource: ResourceRow) -> int | None:
    """The lowest slice of which an effect is due; None: none is. A name that is not free is not."""
    waits, detour = _way_of_name(tx, resource)
    return _lowest(tx, resource.id, nameless=waits and not detour)


def _way_of_name(tx: Transaction, resource: ResourceRow) -> tuple[bool, str | None]:
    """Whether a rename waits for a name that is not free, and by which name it goes meanwhile."""
    waits = bool(resource.c_exists) and names.holder(tx, resource) is not None
    return waits, _detour(tx, resource) if waits else None


def _lowest(tx: Transaction, resource: int, *, nameless: bool) -> int | None:
    part: int | None = tx.value(
        "SELECT min(slice) FROM effect WHERE resource = ? AND state = 'open' AND due <= ?"
        " AND key IS NOT ?",
        (resource, tx.now, Key.NAME if nameless else None),
    )
    return part


def _due_keys(tx: Transaction, resource: int, part: int) -> dict[int, str | None]:
    """The effects of a slice on the resource's own keys that are due, with their bases."""
    found = tx.all(
        "SELECT key, base FROM effect WHERE resource = ? AND state = 'open' AND due <= ?"
        " AND key <= 0 AND slice = ? ORDER BY key",
        (resource, tx.now, part),
    )
    return dict(found)


def _snapshot(
    resource: ResourceRow,
    desired: Fields | None,
    opened: frozenset[Field],
    add: tuple[str, ...] = (),
    remove: tuple[str, ...] = (),
    roster: tuple[str, ...] | None = None,
) -> Snapshot:
    return Snapshot(
        resource.type,
        resource.target_id,
        desired,
        resource.confirmed,
        opened,
        add,
        remove,
        resource.c_size,
        roster,
    )


def _sent(
    tx: Transaction, resource: ResourceRow, own: dict[int, str | None]
) -> tuple[Fields, JsonObject]:
    """The fields this plan brings TFE to, and the shadow's attributes behind them.

    An effect that is not taken up keeps its base. That is how a refused creation is unfolded:
    first the POST as it was accepted, then the edits that came on top of it. One that the guard
    holds leaves what was accepted before it.
    """
    sent, shadow = resource.desired, from_json(resource.shadow)
    written: JsonObject = {
        found: shadow.get(shadow_attribute(resource.type, found)) for found in Field
    }
    for key, base in tx.all(
        "SELECT key, base FROM effect WHERE resource = ? AND key < 0 AND state <> 'parked'",
        (resource.id,),
    ):
        if key not in own and base is not None:
            found = FIELD_OF[Key(key)]
            before = beneath.held(tx, resource.type, resource.id, key) or from_json(base)
            sent = replace(sent, **{found.value: before["v"]})
            written[found] = before["s"]
    return sent, written


def _members(
    tx: Transaction, group: ResourceRow, part: int, room: int
) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """The memberships of this slice whose users TFE has, as `(row, TFE id)`: to add, to remove.

    Additions that TFE has no room for wait for a removal that is held or owed. Who TFE may have
    already (an attempt is in doubt) takes no room, and nobody makes any whom it does not have.
    """
    if group.type is not Kind.GROUP:
        return [], []
    there: list[tuple[int, str]] = []
    add: list[tuple[int, str]] = []
    remove: list[tuple[int, str]] = []
    for user, target, wanted, confirmed in tx.all(
        "SELECT e.key, u.target_id, iif(m.part = 0, m.desired, 0) AS wanted, m.confirmed"
        " FROM effect e"
        " JOIN member m ON m.group_id = e.resource AND m.user_id = e.key"
        " JOIN resource u ON u.id = e.key"
        " WHERE e.resource = ? AND e.key > 0 AND e.state = 'open' AND e.slice = ? AND e.due <= ?"
        " AND u.target_id IS NOT NULL AND NOT (wanted = 1 AND u.state <> 'live')",
        (group.id, part, tx.now),
    ):
        (remove if not wanted else there if confirmed else add).append((user, target))
        room += bool(confirmed) and not wanted
    if len(add) > room:
        rosters.wait_for_room(tx, group.id, [user for user, _ in add[max(room, 0) :]])
    return there + add[: max(room, 0)], remove


def _whole_roster(
    tx: Transaction, group: ResourceRow, removals: int, profile: TargetProfile
) -> tuple[str, ...] | None:
    """The complete desired roster in TFE's ids, if replacing it could pay and all of it is known.

    Fewer removals than fit one PATCH never need it, so that a small change to a large group stays
    small. A membership that is not sent now (waiting, held, another slice) rules it out.
    """
    if removals < profile.max_operations - 1:
        return None
    others = tx.one(
        "SELECT 1 FROM effect WHERE resource = ? AND key > 0 AND state <> 'parked'"
        " AND (state <> 'open' OR slice <> 0 OR due > ?) LIMIT 1",
        (group.id, tx.now),
    )
    if others is not None:
        return None
    targets = tx.all(
        "SELECT u.target_id FROM member m JOIN resource u ON u.id = m.user_id"
        " WHERE m.group_id = ? AND m.desired = 1 AND m.part = 0 AND u.state = 'live'",
        (group.id,),
    )
    if any(target is None for (target,) in targets):
        return None
    return tuple(target for (target,) in targets)


def _detour(tx: Transaction, resource: ResourceRow) -> str | None:
    """A temporary name for who is to break a ring of names (S3); None for the others."""
    ring = names.cycle(tx, resource.id)
    if not ring or names.breaker(tx, ring) != resource.id:
        return None
    return f"{resource.c_name}~{resource.target_id}"
