"""Taking TFE's word for what it holds: after a look-up, a read back, or an import.

A found object is compared before its id is used: never trust that a filter was honoured. Confirmed
is read from TFE, and the effects follow: what agrees is closed, what differs is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.rules.effects import KEY_OF, EffectState, Key, as_created, revokes
from relay.rules.types import Field, Kind
from relay.store.edits import answering, joining, removing
from relay.store.guarding import guard
from relay.store.state import effects, lanes, rosters, rows

if TYPE_CHECKING:
    from relay.rules.shadow import TargetResource
    from relay.store.file.transaction import Transaction
    from relay.store.state.rows import ResourceRow


def confirm(tx: Transaction, row: int, found: TargetResource) -> bool:
    """Bind a resource to what TFE holds and bring its effects in step.

    Returns:
        False when TFE's id belongs to another resource: nothing was changed.
    """
    if not rows.bind(tx, row, found.id):
        return False
    before = rows.by_row(tx, row)
    rows.set_confirmed(tx, row, found.fields)
    resource = rows.by_row(tx, row)
    if resource.wanted:
        effects.close(tx, row, Key.EXISTS)
        opened = compare_fields(tx, resource)
    else:
        opened = _open(tx, resource, Key.EXISTS, base=True, revoking=True)
    if resource.type is Kind.GROUP and found.members is not None:
        opened += _confirm_roster(tx, resource, found.members)
    answering.by_target(tx, row, effects.settle_changes(tx, row), created=not before.c_exists)
    ask(tx, row, opened)
    if not before.c_exists:
        joining.join(tx, row)
    lanes.wake_behind(tx, row)
    lanes.renew(tx, rows.by_row(tx, row))
    return True


def ask(tx: Transaction, row: int, opened: list[int]) -> None:
    """Have the guard look at what comparing has opened."""
    resource = rows.by_row(tx, row)
    guard.review_opened(tx, resource, effects.connection_of(tx, resource.last_change), opened)


def compare_fields(tx: Transaction, resource: ResourceRow) -> list[int]:
    """Open an effect on each field that differs from what TFE confirmed, close the others.

    Returns:
        The keys that were opened: they have passed no guard yet.
    """
    return [key for field in Field for key in compare_field(tx, resource, field)]


def compare_field(tx: Transaction, resource: ResourceRow, field: Field) -> list[int]:
    """Open an effect on a field if it differs from what TFE confirmed, else close it.

    Returns:
        Its key, if it was opened.
    """
    confirmed = resource.confirmed
    assert confirmed is not None
    key, wanted = KEY_OF[field], getattr(resource.desired, field)
    tx.run("UPDATE effect SET unknown = 0 WHERE resource = ? AND key = ?", (resource.id, int(key)))
    if getattr(confirmed, field) == wanted:
        effects.close(tx, resource.id, key)
        return []
    base = as_created(field, getattr(confirmed, field))
    return _open(tx, resource, key, base=base, revoking=revokes(key, wanted))


def _open(
    tx: Transaction,
    resource: ResourceRow,
    key: int,
    *,
    base: object,
    revoking: bool,
    state: EffectState = EffectState.OPEN,
) -> list[int]:
    """Open an effect that no pending change may have written; keep one that is there.

    The note of an edit that was parked gives way; that of a creation says what the IdP is told.

    Returns:
        Its key, if it was opened.
    """
    there = effects.find(tx, resource.id, key)
    if there is not None and (there.state != EffectState.PARKED or key == Key.EXISTS):
        return []
    change = resource.last_change
    effects.write(tx, resource.id, key, change, base=base, revokes=revoking, state=state)
    return [key]


def _confirm_roster(tx: Transaction, group: ResourceRow, members: tuple[str, ...]) -> list[int]:
    """Bring a group's rows in step with TFE's roster; users nobody knows here are left alone."""
    tx.run("UPDATE member SET confirmed = 0 WHERE group_id = ?", (group.id,))
    for target in members:
        user = tx.value("SELECT resource FROM alias WHERE id = ?", (target,))
        if user is not None:
            tx.run(
                "INSERT INTO member (group_id, user_id, desired, confirmed) VALUES (?, ?, 0, 1)"
                " ON CONFLICT (group_id, user_id) DO UPDATE SET confirmed = 1",
                (group.id, user),
            )
    tx.run(
        "UPDATE resource SET c_size = ?, c_roster_at = ? WHERE id = ?",
        (len(members), tx.now, group.id),
    )
    rosters.room_made(tx, group.id)
    # What is to be deleted has one thing to be done: that.
    return reopen_members(tx, group) if group.wanted else []


def reopen_members(tx: Transaction, group: ResourceRow) -> list[int]:
    """Open an effect on each membership that differs, close the others.

    Returns:
        The keys that were opened: they have passed no guard yet.
    """
    opened = []
    for user, wanted, confirmed, target, life in tx.all(
        "SELECT m.user_id, iif(m.part = 0, m.desired, 0), m.confirmed, u.target_id, u.state"
        " FROM member m JOIN resource u ON u.id = m.user_id WHERE m.group_id = ?",
        (group.id,),
    ):
        if wanted == confirmed or (wanted and life == rows.PARKED):
            effects.close(tx, group.id, user)
            continue
        state = EffectState.OPEN if target is not None or not wanted else EffectState.WAITING
        opened += _open(tx, group, user, base=confirmed, revoking=not wanted, state=state)
    tx.run("DELETE FROM member WHERE group_id = ? AND desired = 0 AND confirmed = 0", (group.id,))
    return opened


def absent(tx: Transaction, row: int) -> None:
    """TFE does not have it (404 on a bound id): gone if it was to go, else it is created again."""
    resource = rows.by_row(tx, row)
    if not resource.wanted:
        removing.gone(tx, resource)
        guard.end_trips(tx)
        lanes.wake_behind(tx, row)
        return
    rows.set_absent(tx, row)
    # What was written of its fields stands above its creation, as on top of a first one.
    tx.run("DELETE FROM effect WHERE resource = ? AND key < 0 AND state = 'parked'", (row,))
    tx.run("UPDATE effect SET unknown = 0, slice = 0 WHERE resource = ? AND key < 0", (row,))
    resource = rows.by_row(tx, row)
    opened = _open(tx, resource, Key.EXISTS, base=None, revoking=False)
    # Its creation is what delivers every pending change, so it spans them all.
    tx.run(
        "UPDATE effect SET unknown = 0, first = min(first, ifnull((SELECT min(id) FROM change"
        " WHERE resource = ?1 AND state = 'pending'), first)) WHERE resource = ?1 AND key = 0",
        (row,),
    )
    if resource.type is Kind.GROUP:
        opened += reopen_members(tx, resource)
    else:
        _rejoin_groups(tx, row)
    ask(tx, row, opened)
    lanes.wake_behind(tx, row)


def _rejoin_groups(tx: Transaction, user: int) -> None:
    """A user TFE lost is in none of its rosters any more: it must be added again once it exists."""
    for group, wanted, confirmed in tx.all(
        "SELECT group_id, desired AND part = 0, confirmed FROM member WHERE user_id = ?", (user,)
    ):
        tx.run("UPDATE member SET confirmed = 0 WHERE group_id = ? AND user_id = ?", (group, user))
        tx.run(
            "UPDATE resource SET c_size = c_size - ? WHERE id = ?", (1 if confirmed else 0, group)
        )
        if confirmed:
            rosters.room_made(tx, group)
        resource = rows.by_row(tx, group)
        if not wanted:
            rosters.forget_absent(tx, group, user)
            effects.settle_changes(tx, group, [effects.close(tx, group, user)])
        elif resource.wanted:
            tx.run(
                "UPDATE effect SET state = 'waiting' WHERE resource = ? AND key = ?"
                " AND state = 'open' AND revokes = 0",
                (group, user),
            )
            ask(
                tx,
                group,
                _open(tx, resource, user, base=0, revoking=False, state=EffectState.WAITING),
            )
        lanes.renew(tx, resource)
