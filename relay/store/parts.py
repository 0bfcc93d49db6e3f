"""The parts of a group larger than TFE takes: the IdP sees one group, TFE holds several.

Each part but the first is a group of its own, hidden from the IdP. What happens to it is a change
of its own in the same transaction, just as for nested groups (decision 9): order, guard, planner,
parking and conservation speak of it as of any other group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.errors import Refused
from relay.rules.effects import Key
from relay.rules.overflow import FIRST, near, part_name
from relay.rules.types import Field, Fields, Kind, Verb, Write
from relay.store import (
    effects,
    guard,
    incoming,
    lanes,
    naming,
    removing,
    rosters,
    rows,
    seating,
    writing,
)
from relay.store.seating import UNLIMITED, parts_of
from relay.store.transaction import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relay.rules.contract import TargetProfile
    from relay.rules.types import JsonObject
    from relay.store.rows import ResourceRow
    from relay.store.seating import Spread
    from relay.store.transaction import Transaction


def write(tx: Transaction, group: ResourceRow, seated: Spread, change: int) -> None:
    """Move the roster of a group, whole; `follow` then tells its other parts.

    Raises:
        Refused: 413, it would have more members than TFE takes.
    """
    size = writing.write_members(tx, group, seated.own, change, seated.most)
    size += seating.record(tx, group.id, seated)
    tx.run("UPDATE resource SET size = ?, modified = ? WHERE id = ?", (size, tx.now, group.id))
    if group.size < near(seated.most) <= size:
        tx.outbox.counted.append(("near limit", f"{group.name}: {size} of {seated.most}"))


def follow(tx: Transaction, group: int, found: Spread, connection: str) -> None:
    """Bring the other parts in step: a change of its own for each that is concerned.

    Raises:
        Refused: 413, another group has the name that a new part would need.
    """
    if not found.parts and not found.fresh:
        return
    for row, wanted in found.parts.items():
        _bring(tx, rows.by_row(tx, group), row, wanted, connection)
    for users in found.fresh:
        part = _open(tx, rows.by_row(tx, group), users, connection)
        tx.each(
            "UPDATE member SET part = ? WHERE group_id = ? AND user_id = ?",
            [(part, group, user) for user in users],
        )
    tx.outbox.work = True


def _bring(
    tx: Transaction, group: ResourceRow, row: int, wanted: dict[int, bool], connection: str
) -> None:
    before = rows.by_row(tx, row)
    writes = writing.membership_writes(wanted)
    request = incoming.Accepting(connection, Write(Verb.PATCH, Kind.GROUP))
    change = incoming.insert_change(tx, request, row, writes, why=_why(group))
    size = writing.write_members(tx, before, wanted, change, UNLIMITED)
    tx.run("UPDATE resource SET size = ?, modified = ? WHERE id = ?", (size, tx.now, row))
    incoming.enter_lane(tx, request, change, before)


def _why(group: ResourceRow) -> str:
    return f"a part of {group.name!r}, which is larger than Terraform Enterprise takes"


def _open(tx: Transaction, group: ResourceRow, users: Sequence[int], connection: str) -> int:
    """Make a further part with its first members; its row."""
    number = _next_number(tx, group.id)
    name = part_name(group.name, number)
    wanted = dict.fromkeys(users, True)
    holder = rows.live_by_name(tx, Kind.GROUP, name)
    if holder is not None:
        return _adopt(tx, group, holder, number, wanted, connection)
    fields = Fields(name, None, None, None)
    row = incoming.insert_resource(tx, Kind.GROUP, connection, fields, {"displayName": name})
    _belongs(tx, row, group.id, number)
    writes: dict[str, object] = {
        "exists": True,
        "f": {one.value: getattr(fields, one) for one in Field},
        **writing.membership_writes(wanted),
    }
    request = incoming.Accepting(connection, Write(Verb.CREATE, Kind.GROUP))
    change = incoming.insert_change(tx, request, row, writes, why=_why(group))
    effects.write(tx, row, Key.EXISTS, change, base=None, revokes=False)
    size = writing.write_members(tx, rows.by_row(tx, row), wanted, change, UNLIMITED)
    tx.run("UPDATE resource SET size = ? WHERE id = ?", (size, row))
    resource = rows.by_row(tx, row)
    guard.review_creation(tx, resource, change)
    lanes.touch(tx, resource, change)
    return row


def _belongs(tx: Transaction, row: int, group: int, number: int) -> None:
    tx.run("UPDATE resource SET part_of = ?, part_no = ? WHERE id = ?", (group, number, row))


def _adopt(
    tx: Transaction,
    group: ResourceRow,
    holder: ResourceRow,
    number: int,
    wanted: dict[int, bool],
    connection: str,
) -> int:
    """Take over a group of that name which TFE had and no IdP ever wrote.

    Raises:
        Refused: 413, it is an IdP's, or another group's part.
    """
    if holder.part_of is not None or holder.origin != "import" or holder.last_change:
        raise Refused(
            413,
            f"{group.name!r} has more members than Terraform Enterprise takes in a group, and the"
            f" name of its next part, {holder.name!r}, is another group's (id {holder.public_id})",
            "tooMany",
        )
    _belongs(tx, holder.id, group.id, number)
    tx.run("UPDATE resource SET origin = ? WHERE id = ?", (connection, holder.id))
    others = dict.fromkeys(rosters.desired(tx, holder.id), False)
    _bring(tx, group, holder.id, others | wanted, connection)
    return holder.id


def _next_number(tx: Transaction, group: int) -> int:
    """The smallest number that no part has, one that TFE refused to create included."""
    taken = {
        number
        for (number,) in tx.all(
            "SELECT part_no FROM resource WHERE part_of = ? AND state IN ('live', 'parked')",
            (group,),
        )
    }
    return next(number for number in range(FIRST, len(taken) + FIRST + 1) if number not in taken)


def rename(tx: Transaction, group: ResourceRow, connection: str, profile: TargetProfile) -> None:
    """Have the parts follow the name that the group has now.

    Raises:
        Refused: 409, another group has the name of a part.
    """
    for part in parts_of(tx, group.id):
        name = part_name(group.name, part.number)
        if name == part.name:
            continue
        naming.refuse_taken_name(tx, Kind.GROUP, name, part.row, profile)
        before = rows.by_row(tx, part.row)
        old_shadow = from_json(before.shadow)
        shadow: JsonObject = {**old_shadow, "displayName": name}
        new = Fields(name, before.external_id, None, None)
        writes = writing.writes_of(Kind.GROUP, new, shadow, frozenset({Field.NAME}), {})
        request = incoming.Accepting(connection, Write(Verb.PATCH, Kind.GROUP))
        change = incoming.insert_change(tx, request, part.row, writes, why=_why(group))
        rows.set_desired(tx, part.row, Field.NAME, name)
        tx.run("UPDATE resource SET shadow = ? WHERE id = ?", (to_json(shadow), part.row))
        values = (before.desired, new, old_shadow)
        writing.write_field(tx, before, Field.NAME, change, values)
        incoming.enter_lane(tx, request, change, before)


def end(tx: Transaction, group: ResourceRow, connection: str) -> None:
    """Delete all parts of a group that goes."""
    for part in parts_of(tx, group.id):
        _delete(tx, part.row, connection, _why(group))


def compact(tx: Transaction, named: str, actor: str, reason: str) -> list[str]:
    """Delete the parts that nobody is in, on an operator's order (H5); their names.

    A team that is linked to one of them loses nobody, but its link.

    Args:
        tx: the transaction.
        named: the whole group's id or name.
        actor: who orders it.
        reason: why.

    Raises:
        Refused: 404, there is no such group.
    """
    group = rows.by_id(tx, Kind.GROUP, named) or rows.live_by_name(tx, Kind.GROUP, named)
    if group is None or group.part_of is not None:
        raise Refused(404, f"no group has the id or the name {named!r}")
    empty = [part for part in parts_of(tx, group.id) if not part.size]
    for part in empty:
        _delete(tx, part.row, "relay", reason)
        tx.audit("compacted", actor, resource=part.row, detail=reason)
        tx.outbox.work = True
    return [part.name for part in empty]


def _delete(tx: Transaction, row: int, connection: str, why: str) -> None:
    before = rows.by_row(tx, row)
    request = incoming.Accepting(connection, Write(Verb.DELETE, Kind.GROUP))
    change = incoming.insert_change(tx, request, row, {"exists": False}, why=why)
    removing.remove(tx, before, change)
    incoming.enter_lane(tx, request, change, before)
