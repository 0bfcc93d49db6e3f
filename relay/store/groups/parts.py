"""The parts of a group larger than TFE takes: the IdP sees one group, TFE holds several.

Each part but the first is a group of its own, hidden from the IdP. What happens to it is a change
of its own in the same transaction, just as for nested groups (decision 9): order, guard, planner,
parking and conservation speak of it as of any other group.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from relay.errors import Refused
from relay.rules.effects import Key
from relay.rules.overflow import FIRST, near, part_name
from relay.rules.ownership import NOBODY
from relay.rules.types import Field, Fields, Kind, Verb, Write
from relay.store.edits import incoming, writing
from relay.store.groups import seating
from relay.store.groups.seating import UNLIMITED, parts_of
from relay.store.guarding import guard, owning
from relay.store.state import checking, effects, lanes, rosters, rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relay.store.file.transaction import Transaction
    from relay.store.groups.seating import Spread
    from relay.store.state.rows import ResourceRow


def write(tx: Transaction, group: ResourceRow, seated: Spread, change: int) -> None:
    """Move the roster of a group, whole; `follow` then tells its other parts.

    Raises:
        Refused: 413, it would have more members than TFE takes.
    """
    if seated.again:  # the group itself is told again by `write_members` (K3)
        for part in parts_of(tx, group.id):
            checking.mark_roster(tx, part.row)
    size = writing.write_members(tx, group, seated.own, change, seated.most)
    size += seating.record(tx, group.id, seated)
    tx.run("UPDATE resource SET size = ?, modified = ? WHERE id = ?", (size, tx.now, group.id))
    _tell(tx, group, seated, size)


def move(tx: Transaction, group: ResourceRow, seated: Spread, connection: str, why: str) -> None:
    """Move a roster by changes of the relay's own, in the group itself as in its parts.

    Raises:
        Refused: 413, as `bring` and `follow`.
    """
    if seated.own:
        bring(tx, group.id, seated.own, connection, why, seated)
    _grow(tx, group.id, seating.record(tx, group.id, seated))
    _tell(tx, group, seated, rows.by_row(tx, group.id).size)
    follow(tx, group.id, seated, connection)
    tx.outbox.work = True


def write_part(
    tx: Transaction, part: ResourceRow, seated: Spread, change: int, connection: str
) -> None:
    """Move a roster, whole, where a change of one of the parts asks for it."""
    whole = rows.by_row(tx, part.part_of or part.id)
    if seated.own:
        bring(tx, whole.id, seated.own, connection, why(whole))
    _grow(tx, whole.id, seating.record(tx, whole.id, seated))
    here = seated.parts.pop(part.id, {})
    size = writing.write_members(tx, part, here, change, UNLIMITED)
    tx.run("UPDATE resource SET size = ?, modified = ? WHERE id = ?", (size, tx.now, part.id))
    follow(tx, whole.id, seated, connection)


def _grow(tx: Transaction, group: int, by: int) -> None:
    tx.run("UPDATE resource SET size = size + ?, modified = ? WHERE id = ?", (by, tx.now, group))


def _tell(tx: Transaction, before: ResourceRow, seated: Spread, size: int) -> None:
    if before.size < near(seated.most) <= size:
        tx.outbox.counted.append(("near limit", f"{before.name}: {size} of {seated.most}"))


def follow(
    tx: Transaction, group: int, found: Spread, connection: str, *, own: bool = False
) -> None:
    """Bring the other parts in step: a change of its own for each that is concerned.

    Args:
        tx: the transaction.
        group: of which they are parts.
        found: who goes where.
        connection: who is charged.
        own: the connection may change only what is its own, so nobody's becomes no part.

    Raises:
        Refused: 413, another group has the name that a new part would need.
    """
    if not found.parts and not found.fresh:
        return
    whole = rows.by_row(tx, group)
    for row, wanted in found.parts.items():
        bring(tx, row, wanted, connection, why(whole), replace(found, most=UNLIMITED))
    for users in found.fresh:
        part = _open(tx, whole, users, connection, firm=found.firm, own=own)
        tx.each(
            "UPDATE member SET part = ? WHERE group_id = ? AND user_id = ?",
            [(part, group, user) for user in users],
        )
    tx.outbox.work = True


def bring(
    tx: Transaction,
    row: int,
    wanted: dict[int, bool],
    connection: str,
    why: str,
    spread: Spread | None = None,
) -> None:
    """Have members join or leave one group in TFE, by a change of its own.

    A group that TFE refused to create has a roster all the same: it may be tried again (S5).

    Args:
        tx: the transaction.
        row: of the group.
        wanted: who is to be in it and who not.
        connection: who is charged.
        why: for the audit.
        spread: what the whole comes to, of which this is a part; None: this group alone.

    Raises:
        Refused: 413, it would have more.
    """
    before = rows.by_row(tx, row)
    if before.state == rows.PARKED:
        _remember(tx, row, wanted)
        return
    request = incoming.Accepting(connection, Write(Verb.PATCH, Kind.GROUP))
    change = incoming.insert_change(tx, request, row, writing.membership_writes(wanted), why=why)
    most = UNLIMITED if spread is None else spread.most
    size = writing.write_members(tx, before, wanted, change, most)
    tx.run("UPDATE resource SET size = ?, modified = ? WHERE id = ?", (size, tx.now, row))
    incoming.enter_lane(tx, request, change, before, _emptied(before, spread))


def _emptied(group: ResourceRow, spread: Spread | None) -> int | None:
    """For the guard: a part that nobody is left in is no emptied group, its whole may be."""
    found = None if spread is None else spread.emptied
    return 0 if found is None and group.part_of is not None else found


def _remember(tx: Transaction, row: int, wanted: dict[int, bool]) -> None:
    for user, want in wanted.items():
        was, _ = rosters.state(tx, row, user)
        rosters.set_desired(tx, row, user, want)
        rosters.forget_absent(tx, row, user)
        _grow(tx, row, want - was)


def why(group: ResourceRow) -> str:
    """For the audit: why a part has a change."""
    return f"a part of {group.name!r}, which is larger than Terraform Enterprise takes"


def _open(
    tx: Transaction,
    group: ResourceRow,
    users: Sequence[int],
    connection: str,
    *,
    firm: bool,
    own: bool,
) -> int:
    """Make a further part with its first members; its row.

    Raises:
        Refused: 413, its name is another group's that may not become it.
    """
    wanted = dict.fromkeys(users, True)
    number = _next_number(tx, group, firm=firm)
    name = part_name(group.name, number)
    holder = rows.live_by_name(tx, Kind.GROUP, name)
    if holder is not None:
        _refuse_foreign(group, holder, own=own)
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
    change = incoming.insert_change(tx, request, row, writes, why=why(group))
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
    """Take over a group of that name which TFE had and no IdP ever wrote."""
    _belongs(tx, holder.id, group.id, number)
    tx.run("UPDATE resource SET origin = ? WHERE id = ?", (connection, holder.id))
    others = dict.fromkeys(rosters.desired(tx, holder.id), False)
    bring(tx, holder.id, others | wanted, connection, why(group))
    return holder.id


def _refuse_foreign(group: ResourceRow, holder: ResourceRow, *, own: bool) -> None:
    """Refuse a part whose name is a group's that is an IdP's, another's part, or not one's own.

    Raises:
        Refused: 413.
    """
    given = not own or holder.owner == group.owner
    if given and _is_free(holder, group):
        return
    whose = f"another group's (id {holder.public_id})" if given else f"not its own; {owning.CURE}"
    raise Refused(
        413,
        f"{group.name!r} has more members than Terraform Enterprise takes in a group, and the"
        f" name of its next part, {holder.name!r}, is {whose}",
        "tooMany",
    )


def _is_free(holder: ResourceRow, group: ResourceRow) -> bool:
    """Whether TFE had it, no IdP ever wrote it, and it was not given to another's connection."""
    unwritten = holder.part_of is None and holder.origin == "import" and not holder.last_change
    return unwritten and holder.owner in (NOBODY, group.owner)


def _next_number(tx: Transaction, group: ResourceRow, *, firm: bool) -> int:
    """The smallest number that no part has, one that TFE refused to create included.

    Where it may not be refused, a number whose name is another group's is passed over.
    """
    taken = {part.number for part in parts_of(tx, group.id)}
    for number in itertools.count(FIRST):
        if number in taken:
            continue
        holder = rows.live_by_name(tx, Kind.GROUP, part_name(group.name, number)) if firm else None
        if holder is None or _is_free(holder, group):
            return number
    raise AssertionError  # numbers do not end
