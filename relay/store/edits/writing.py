"""What an accepted write does to desired, key by key: effects opened, kept or closed.

An effect is opened where TFE does not have the value yet, and closed where it has it already: a
write that is undone before it was sent costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.errors import ParkedBefore, Refused
from relay.rules.effects import (
    KEY_OF,
    EffectState,
    revokes,
    shadow_attribute,
)
from relay.rules.types import Field, Fields, JsonObject, Kind, Write
from relay.store.file.transaction import Transaction, from_json, to_json
from relay.store.state import effects, rosters
from relay.store.state.rows import PARKED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from relay.store.state.rows import ResourceRow

STALE_S = 300.0
"""An explicit revocation that changes nothing is sent again if TFE's word is older (K3)."""


def writes_of(
    kind: Kind,
    fields: Fields,
    shadow: JsonObject,
    written: frozenset[Field],
    wanted: dict[int, bool],
) -> dict[str, object]:
    """A change's own values, by key: what replaying the survivors needs (semantics S1)."""
    writes: dict[str, object] = {}
    if written:
        writes["f"] = {field.value: getattr(fields, field) for field in written}
        writes["s"] = {
            name: shadow.get(name) for name in (shadow_attribute(kind, field) for field in written)
        }
    return writes | membership_writes(wanted)


def membership_writes(wanted: Mapping[int, bool]) -> dict[str, object]:
    """The part of a change's values that is memberships."""
    writes: dict[str, object] = {}
    for sign, value in (("+", True), ("-", False)):
        users = [user for user, want in wanted.items() if want is value]
        if users:
            writes[sign] = users
    return writes


def asserted(tx: Transaction, write: Write, resource: ResourceRow, new: Fields) -> frozenset[Field]:
    """The fields that a write names without changing them, where that still means something.

    Either TFE does not have them yet, so this change is not delivered before they are; or it is a
    revocation repeated after a while, which is sent again (K3).
    """
    named = set()
    for field in write.written:
        effect = effects.find(tx, resource.id, KEY_OF[field])
        open_now = effect is not None and effect.state != EffectState.PARKED
        again = field is Field.ACTIVE and new.active is False and _stale(tx, resource)
        if open_now or again:
            named.add(field)
    return frozenset(named)


def _stale(tx: Transaction, resource: ResourceRow) -> bool:
    """Whether TFE's word on `active` is old; what it said of other keys since does not count."""
    return bool(resource.c_exists) and tx.now - resource.c_active_at > STALE_S


def refuse_known_refusal(
    tx: Transaction, resource: ResourceRow, written: frozenset[Field], new: Fields
) -> None:
    """Hand TFE's refusal of the very same value to the IdP, once (design, *Settle*).

    Raises:
        ParkedBefore: with TFE's own status and words.
    """
    for field in written:
        note = tx.value(
            "SELECT reason FROM effect WHERE resource = ? AND key = ? AND state = 'parked'",
            (resource.id, int(KEY_OF[field])),
        )
        reason = from_json(note)
        if reason and reason["value"] == getattr(new, field) and not reason["told"]:
            raise ParkedBefore(reason, resource.id, int(KEY_OF[field]))


def write_field(
    tx: Transaction,
    resource: ResourceRow,
    field: Field,
    change: int,
    values: tuple[Fields, Fields, JsonObject],
) -> None:
    """Open, keep or close the effect on one field."""
    old, new, old_shadow = values
    key = KEY_OF[field]
    wanted = getattr(new, field)
    confirmed = resource.confirmed
    effect = effects.find(tx, resource.id, key)
    unknown = effect is not None and bool(effect.unknown)
    there = confirmed is not None and getattr(confirmed, field) == wanted and not unknown
    again = there and field is Field.ACTIVE and wanted is False and _stale(tx, resource)
    if there and not again:
        effects.settle_changes(tx, resource.id, [effects.close(tx, resource.id, key)])
        return
    base = {
        "v": getattr(old, field),
        "s": old_shadow.get(shadow_attribute(resource.type, field)),
    }
    effects.write(
        tx,
        resource.id,
        key,
        change,
        base=base,
        revokes=revokes(key, wanted),
        unknown=again,
    )


def write_members(
    tx: Transaction,
    group: ResourceRow,
    wanted: dict[int, bool],
    change: int,
    most: int,
) -> int:
    """Move the desired roster; the group's new size, which may be `most`.

    Raises:
        Refused: 413, the group would have more members than TFE takes.
    """
    states = {user: rosters.state(tx, group.id, user) for user in wanted}
    size = group.size + sum(want - states[user][0] for user, want in wanted.items())
    if size > most and size > group.size:
        raise Refused(
            413,
            f"{group.name!r} would have {size} members; Terraform Enterprise takes {most} in a"
            " group",
            "tooMany",
        )
    again = _removed_again(tx, group, [user for user, want in wanted.items() if not want])
    closed = [
        _write_member(tx, group.id, user, want, states[user], change, again=user in again)
        for user, want in wanted.items()
    ]
    effects.settle_changes(tx, group.id, closed)
    return size


def _removed_again(tx: Transaction, group: ResourceRow, users: list[int]) -> set[int]:
    """The users to take off although the relay knows of no membership: TFE's word is old (K3).

    A membership that is over leaves no row, so TFE's last word on the whole roster counts: what one
    PATCH acknowledged says nothing of the others. One that is on its way and is undone by an
    addition comes back when the addition is undone.
    """
    if not users or not group.c_exists:
        return set()
    told_at = tx.value("SELECT c_roster_at FROM resource WHERE id = ?", (group.id,))
    if tx.now - told_at <= STALE_S:
        return set()
    found = tx.all(
        "SELECT u.id FROM json_each(?) AS named CROSS JOIN resource u ON u.id = named.value"
        " LEFT JOIN member m ON m.group_id = ?2 AND m.user_id = u.id"
        " LEFT JOIN effect e ON e.resource = ?2 AND e.key = u.id"
        " WHERE u.target_id IS NOT NULL AND (ifnull(m.desired, 0) = 0 OR ifnull(e.unknown, 0) = 1)",
        (to_json(users), group.id),
    )
    return {user for (user,) in found}


def _write_member(
    tx: Transaction,
    group: int,
    user: int,
    want: bool,
    state: tuple[int, int],
    change: int,
    *,
    again: bool,
) -> effects.Span | None:
    """Open, keep or close the effect on one membership; what was closed."""
    now_desired, confirmed = state
    if again or bool(now_desired) != want:
        rosters.set_desired(tx, group, user, want)
    if confirmed == want and not again:
        closed = effects.close(tx, group, user)
        rosters.forget_absent(tx, group, user)
        return closed
    open_member(tx, group, user, change, want=want, base=now_desired, unknown=again)
    return None


def open_member(
    tx: Transaction,
    group: int,
    user: int,
    change: int,
    *,
    want: bool,
    base: int,
    unknown: bool = False,
) -> None:
    """Open the effect on a membership; an addition waits for its user's creation.

    One whose creation was refused for good is left out: its row in the roster is all that is kept.
    """
    target, life = tx.one("SELECT target_id, state FROM resource WHERE id = ?", (user,))
    if want and life == PARKED:
        return  # left out; it is added when it exists (`joining.join`)
    exists = target is not None
    effects.write(
        tx,
        group,
        user,
        change,
        base=base,
        revokes=not want,
        state=EffectState.OPEN if exists or not want else EffectState.WAITING,
        unknown=unknown,
    )
