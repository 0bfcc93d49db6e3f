"""Keeping a resource whose DELETE was rejected; merging it with the one that took its name (S4).

While a DELETE waits for the guard, the IdP may create the same name again. If the DELETE is
rejected, both are one: the newer desired state takes the old binding and what TFE confirmed, and
every id either of them ever had stays valid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.rules.effects import Key
from relay.rules.types import Kind
from relay.store.compare import adopting
from relay.store.deliver import parking
from relay.store.deliver.parking import Refusal
from relay.store.edits import joining
from relay.store.file.transaction import from_json
from relay.store.groups import nesting, reseating
from relay.store.guarding import guard, ledger
from relay.store.state import checking, effects, lanes, rows
from relay.store.state.records import ChangeState

if TYPE_CHECKING:
    from relay.store.file.transaction import Transaction
    from relay.store.state.rows import ResourceRow


def keep(tx: Transaction, deleted: ResourceRow) -> None:
    """Undo an accepted DELETE, of a large group with its parts."""
    connection = effects.connection_of(tx, deleted.last_change)
    if deleted.part_of is not None:
        reseating.stand_alone(tx, deleted)
    heir = _keep(tx, deleted)
    _keep_parts(tx, deleted.id, heir, connection)
    nesting.follow(tx, nesting.reach(tx, deleted.id), connection)


def _keep(tx: Transaction, deleted: ResourceRow) -> int:
    """Keep one resource, verified if its DELETE may have reached TFE (K2); what it is now."""
    existence = effects.find(tx, deleted.id, Key.EXISTS)
    in_doubt = existence is not None and bool(existence.unknown)
    effects.discard(tx, deleted.id, Key.EXISTS)
    ledger.strike_out(tx, deleted.id, [Key.EXISTS])
    successor = rows.live_by_name(tx, deleted.type, deleted.name)
    if successor is None:
        tx.run("UPDATE resource SET state = 'live' WHERE id = ?", (deleted.id,))
        _compare(tx, rows.by_row(tx, deleted.id))
    elif successor.c_exists:
        _keep_beside(tx, deleted, successor)
    else:
        _merge(tx, deleted, successor)
    row = deleted.id if successor is None or successor.c_exists else successor.id
    if in_doubt:
        checking.mark_late(tx, row)
    return row


def _keep_parts(tx: Transaction, group: int, heir: int, connection: str) -> None:
    """The other parts of a group whose DELETE was undone stay as well; nobody is left between.

    A part whose own DELETE is under way goes: its members get other seats.
    """
    refusal = Refusal(410, "its group is kept")
    going = "SELECT id FROM resource WHERE part_of = ? AND state = 'deleted' AND NOT EXISTS"
    going += " (SELECT 1 FROM lane WHERE resource = resource.id AND lane.state = 'sending')"
    for (row,) in tx.all(going, (group,)):
        tx.run("UPDATE resource SET part_of = ? WHERE id = ?", (heir, row))
        reseating.sit_again(tx, heir, row)
        part = rows.by_row(tx, row)
        if not part.c_exists:
            create_after_all(tx, part, refusal)
            continue
        _end_deletion(tx, row, refusal)
        _keep(tx, part)
    reseating.seat_strays(tx, rows.by_row(tx, heir), connection)


def _end_deletion(tx: Transaction, row: int, refusal: Refusal) -> None:
    for change, text in tx.all(
        "SELECT id, writes FROM change WHERE resource = ? AND state = 'pending'", (row,)
    ):
        if from_json(text).get("exists") is False:
            parking.end_change(tx, change, ChangeState.DROPPED, refusal)


def create_after_all(tx: Transaction, deleted: ResourceRow, refusal: Refusal) -> None:
    """Undo an accepted DELETE of what may be under creation at TFE: it is wanted again (K1).

    What became of the creation is not known here: its effect is open as it was before the DELETE,
    in doubt, and TFE is read once it is there.
    """
    _end_deletion(tx, deleted.id, refusal)
    ledger.strike_out(tx, deleted.id, [Key.EXISTS])
    tx.run(
        "UPDATE effect SET state = 'open', revokes = 0, base = 'null', last = first,"
        " held_by = NULL, held_at = NULL WHERE resource = ? AND key = 0",
        (deleted.id,),
    )
    tx.run("UPDATE resource SET state = 'live' WHERE id = ?", (deleted.id,))
    if deleted.type is Kind.GROUP:
        _ask(tx, deleted.id, adopting.reopen_members(tx, rows.by_row(tx, deleted.id)))
    connection = effects.connection_of(tx, deleted.last_change)
    _keep_parts(tx, deleted.id, deleted.id, connection)
    nesting.follow(tx, nesting.reach(tx, deleted.id), connection)
    checking.mark_late(tx, deleted.id)


def _keep_beside(tx: Transaction, deleted: ResourceRow, renamed: ResourceRow) -> None:
    """Another resource was renamed to the name that is not free after all: that is parked (S2)."""
    detail = f"the {deleted.kind} {deleted.name!r} still holds the name: its deletion was rejected"
    parking.refuse(tx, renamed, [Key.NAME], Refusal(409, detail, "uniqueness"))
    lanes.renew(tx, rows.by_row(tx, renamed.id))
    tx.run("UPDATE resource SET state = 'live' WHERE id = ?", (deleted.id,))
    _compare(tx, rows.by_row(tx, deleted.id))


def _compare(tx: Transaction, resource: ResourceRow) -> None:
    """Open what desired and confirmed differ in, and ask about it again: the DELETE closed it."""
    opened = adopting.compare_fields(tx, resource)
    if resource.type is Kind.GROUP:
        opened += adopting.reopen_members(tx, resource)
    else:
        joining.join(tx, resource.id)
    effects.settle_changes(tx, resource.id)
    _ask(tx, resource.id, opened)
    lanes.renew(tx, rows.by_row(tx, resource.id))


def _ask(tx: Transaction, row: int, opened: list[int]) -> None:
    resource = rows.by_row(tx, row)
    guard.review_kept(tx, resource, effects.connection_of(tx, resource.last_change), opened)


def _merge(tx: Transaction, old: ResourceRow, new: ResourceRow) -> None:
    tx.run("UPDATE alias SET resource = ? WHERE resource = ?", (new.id, old.id))
    assert old.confirmed is not None
    tx.run("UPDATE resource SET target_id = NULL WHERE id = ?", (old.id,))
    tx.run("UPDATE resource SET target_id = ? WHERE id = ?", (old.target_id, new.id))
    rows.set_confirmed(tx, new.id, old.confirmed)
    tx.run("UPDATE resource SET c_size = ? WHERE id = ?", (old.c_size, new.id))
    if old.type is Kind.GROUP:
        _move_roster(tx, old.id, new.id)
    else:
        _move_memberships(tx, old.id, new.id)
    ledger.inherit(tx, old.id, new.id)
    tx.run("UPDATE protected SET resource = ? WHERE resource = ?", (new.id, old.id))
    tx.run("UPDATE OR REPLACE verification SET resource = ? WHERE resource = ?", (new.id, old.id))
    rows.set_absent(tx, old.id)
    tx.run("UPDATE resource SET state = 'gone', size = 0 WHERE id = ?", (old.id,))
    tx.run("DELETE FROM nest WHERE parent = ?1 OR child = ?1", (old.id,))
    tx.run("DELETE FROM effect WHERE resource = ?", (old.id,))
    effects.settle_changes(tx, old.id)
    effects.close(tx, new.id, Key.EXISTS)
    _compare(tx, rows.by_row(tx, new.id))


def _move_roster(tx: Transaction, old: int, new: int) -> None:
    """What TFE's group holds is now what the newer group's roster is compared with."""
    tx.run(
        "INSERT INTO member (group_id, user_id, desired, confirmed)"
        " SELECT ?, user_id, 0, confirmed FROM member WHERE group_id = ? AND confirmed <> 0"
        " ON CONFLICT (group_id, user_id) DO UPDATE SET confirmed = excluded.confirmed",
        (new, old),
    )
    tx.run("DELETE FROM member WHERE group_id = ?", (old,))


def _move_memberships(tx: Transaction, old: int, new: int) -> None:
    """TFE's user is in groups under the newer user's row now."""
    for group, desired, confirmed in tx.all(
        "SELECT group_id, desired, confirmed FROM member WHERE user_id = ?", (old,)
    ):
        tx.run("DELETE FROM member WHERE group_id = ? AND user_id = ?", (group, old))
        tx.run("DELETE FROM effect WHERE resource = ? AND key = ?", (group, old))
        ledger.inherit_membership(tx, group, old, new)
        tx.run("UPDATE resource SET size = size - ? WHERE id = ?", (desired, group))
        if confirmed:
            tx.run(
                "INSERT INTO member (group_id, user_id, desired, confirmed) VALUES (?, ?, 0, ?)"
                " ON CONFLICT (group_id, user_id) DO UPDATE SET confirmed = excluded.confirmed",
                (group, new, confirmed),
            )
        opened = adopting.reopen_members(tx, rows.by_row(tx, group))
        effects.settle_changes(tx, group)
        _ask(tx, group, opened)
        lanes.renew(tx, rows.by_row(tx, group))
