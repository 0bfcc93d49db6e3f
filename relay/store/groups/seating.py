"""Who of a group larger than TFE takes is in which part (`[groups] oversize = "overflow"`).

The group's own row keeps the roster that the IdP wrote, whole; `member.part` says which part has a
member in TFE, 0 the group itself. Nobody who is placed moves (`relay.rules.overflow`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from relay.errors import SettingsError
from relay.rules.overflow import place
from relay.rules.types import Kind
from relay.store.file.transaction import to_json
from relay.store.guarding import protecting
from relay.store.state import rosters

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from relay.store.file.transaction import Transaction
    from relay.store.state.rows import ResourceRow

NOTE: Final = "overflow"
"""In the file while groups overflow: the members of a part. Every transaction goes by the same."""

NOWHERE: Final = -1
"""The part of who is in one that is still to be made."""

UNLIMITED: Final = 1 << 62
"""For what has been seen to fit."""


@dataclass(slots=True)
class Spread:
    """What a write of a roster comes to, part by part.

    Attributes:
        own: for the group itself: who is to be in and who not.
        parts: the same for each other part there is, by row.
        fresh: the members of each part that is still to be made.
        most: members the whole group may have: no limit where they were seated.
        firm: it was decided already, and may not be refused any more.
        emptied: members of the whole group if all of them leave (for the guard), or 0; None: the
            group has no other parts.
        again: somebody is to leave who is in no part as far as the relay knows.
    """

    own: dict[int, bool]
    most: int
    firm: bool = False
    emptied: int | None = None
    again: bool = False
    parts: dict[int, dict[int, bool]] = field(default_factory=dict)
    fresh: list[list[int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a group in TFE, past the first.

    Attributes:
        row: of the group that it is there.
        number: it counts from 2.
        name: in TFE.
        size: members desired.
        live: TFE did not refuse to create it.
    """

    row: int
    number: int
    name: str
    size: int
    live: bool


def configure(tx: Transaction, most: int | None) -> None:
    """Take the operator's setting over.

    Args:
        tx: the transaction.
        most: members of a part; None: groups do not overflow.

    Raises:
        SettingsError: it was switched off while a group has parts: nobody would keep them (H5).
    """
    if most is not None:
        tx.run("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (NOTE, str(most)))
        return
    part = tx.value(
        "SELECT name FROM resource WHERE part_of IS NOT NULL AND state IN ('live', 'parked')"
        " LIMIT 1"
    )
    if part is not None:
        problem = f"is not overflow, but {part!r} holds members of a larger group"
        cure = "switch it on again, or make that group smaller and compact it first (a part whose"
        cure += " creation was refused goes with `changes drop`)"
        raise SettingsError([f"groups.oversize: {problem}; {cure}"])
    tx.run("DELETE FROM meta WHERE key = ?", (NOTE,))


def spread(tx: Transaction, group: ResourceRow, wanted: dict[int, bool], limit: int) -> Spread:
    """Say where the members go that a group is to get, and who leaves which part.

    Args:
        tx: the transaction.
        group: as the IdP sees it, before.
        wanted: who is to be in it and who not.
        limit: members that it may have if it does not overflow; UNLIMITED: it must not be refused.
    """
    plain = Spread(wanted, limit)
    if group.type is not Kind.GROUP or group.part_of or not wanted:
        return plain
    most = most_in_part(tx)
    if most is None:
        return plain
    seats = _seats(tx, group.id, wanted)
    parts = parts_of(tx, group.id)
    newcomers = [user for user, want in wanted.items() if want and user not in seats.desired]
    fits = group.size + len(newcomers) <= most
    if not parts and (fits or protecting.protector(tx, group) is not None):
        return plain
    found = Spread({}, UNLIMITED, firm=limit >= UNLIMITED)
    for user, want in wanted.items():
        part = seats.desired.get(user, 0)
        if not part and (not want or user in seats.desired):
            found.own[user] = want
        elif part and not want:
            found.parts.setdefault(part, {})[user] = False
    leaving = [user for user, want in wanted.items() if not want and user in seats.desired]
    left = group.size + len(newcomers) - len(leaving)
    found.emptied = 0 if left else group.size
    found.again = any(not want and user not in seats.desired for user, want in wanted.items())
    _seat(found, _rooms(group, parts, seats, leaving, most), newcomers, seats, most)
    return found


@dataclass(frozen=True, slots=True)
class _Seats:
    """Where users are: those desired in a group by part (0: the group), and where TFE has them."""

    desired: dict[int, int]
    left: dict[int, int]


def _seats(tx: Transaction, group: int, users: Iterable[int]) -> _Seats:
    marks = to_json(list(users))
    desired = tx.all(
        "SELECT user_id, part FROM member WHERE group_id = ? AND desired = 1"
        " AND user_id IN (SELECT value FROM json_each(?))",
        (group, marks),
    )
    left = tx.all(
        "SELECT user_id, iif(group_id = ?1, 0, group_id) FROM member WHERE desired = 0"
        " AND confirmed <> 0 AND user_id IN (SELECT value FROM json_each(?2)) AND group_id IN"
        " (SELECT ?1 UNION SELECT id FROM resource WHERE part_of = ?1 AND state = 'live')",
        (group, marks),
    )
    return _Seats(dict(desired), dict(left))


def _rooms(
    group: ResourceRow, parts: Sequence[Part], seats: _Seats, leaving: Sequence[int], most: int
) -> dict[int, int]:
    """How many more each part may have, the group itself first, once who leaves has left.

    Nobody is added to a part that TFE refused to create: it waits for an operator.
    """
    taken = {0: group.size - sum(part.size for part in parts)}
    taken |= {part.row: part.size for part in parts}
    for user in leaving:
        taken[seats.desired[user]] -= 1
    refused = {part.row for part in parts if not part.live}
    return {row: 0 if row in refused else most - size for row, size in taken.items()}


def _seat(
    found: Spread, rooms: dict[int, int], newcomers: Sequence[int], seats: _Seats, most: int
) -> None:
    order = list(rooms)
    old = {user: order.index(row) for user, row in seats.left.items() if row in rooms}
    placed = place(newcomers, list(rooms.values()), old, most)
    found.own.update(dict.fromkeys(placed[0], True))
    for row, users in zip(order[1:], placed[1 : len(order)], strict=True):
        if users:
            found.parts.setdefault(row, {}).update(dict.fromkeys(users, True))
    found.fresh = placed[len(order) :]


def parts_of(tx: Transaction, group: int) -> list[Part]:
    """The parts of a group, in order, those included that TFE refused to create."""
    return [
        Part(*row)
        for row in tx.all(
            "SELECT id, part_no, name, size, state = 'live' FROM resource WHERE part_of = ?"
            " AND state IN ('live', 'parked') ORDER BY part_no",
            (group,),
        )
    ]


def seat(tx: Transaction, whole: int, user: int) -> int | None:
    """The row of the group in TFE in which a member of a group is to be; None: in none."""
    found = tx.one(
        "SELECT iif(part, part, group_id) FROM member WHERE group_id = ? AND user_id = ?"
        " AND desired = 1",
        (whole, user),
    )
    return None if found is None else int(found[0])


def record(tx: Transaction, group: int, found: Spread) -> int:
    """Note in the group's roster who is in which other part; by how many it grew.

    Parts that are still to be made get their row in `parts.follow`, later in the transaction.
    """
    grown = 0
    fresh = dict.fromkeys((user for users in found.fresh for user in users), True)
    for part, users in (*found.parts.items(), (NOWHERE, fresh)):
        for user, want in users.items():
            grown += note(tx, group, user, part if want else None)
    return grown


def placed(tx: Transaction, group: int) -> list[int]:
    """Who of a group is in another part of it."""
    found = tx.all(
        "SELECT user_id FROM member WHERE group_id = ? AND desired = 1 AND part <> 0", (group,)
    )
    return [user for (user,) in found]


def note(tx: Transaction, group: int, user: int, part: int | None) -> int:
    """Place a member in a part (0: the group itself), or nowhere; by how many the roster grew."""
    was = tx.one(
        "SELECT desired FROM member WHERE group_id = ? AND user_id = ?", (group, user)
    ) or (0,)
    if part is None:
        # What TFE still has in the group itself stays to be taken off there.
        tx.run(
            "UPDATE member SET desired = 0, part = 0 WHERE group_id = ? AND user_id = ?",
            (group, user),
        )
        rosters.forget_absent(tx, group, user)
        return -was[0]
    tx.run(
        "INSERT INTO member (group_id, user_id, desired, confirmed, part) VALUES (?, ?, 1, 0, ?)"
        " ON CONFLICT (group_id, user_id) DO UPDATE SET desired = 1, part = excluded.part",
        (group, user, part),
    )
    return 1 - was[0]


def release(tx: Transaction, group: ResourceRow) -> None:
    """TFE has lost a group, and the directory follows it there.

    Who was in a part leaves the whole; the parts of a whole that is gone are groups of their own.
    """
    tx.run("UPDATE resource SET part_of = NULL, part_no = NULL WHERE part_of = ?", (group.id,))
    if group.part_of is None:
        return
    grown = 0
    for user in rosters.desired(tx, group.id):
        if seat(tx, group.part_of, user) == group.id:
            grown += note(tx, group.part_of, user, None)
    tx.run("UPDATE resource SET size = size + ? WHERE id = ?", (grown, group.part_of))


def most_in_part(tx: Transaction) -> int | None:
    """Members of a part; None: groups do not overflow."""
    found = tx.value("SELECT value FROM meta WHERE key = ?", (NOTE,))
    return None if found is None else int(found)
