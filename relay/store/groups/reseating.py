"""Members that come back to a group, or leave it, though no IdP asked.

TFE refused them, an operator dropped a change, or TFE's side was followed.

In a group that overflows nobody is in two parts for it, and no part is larger than TFE takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.store.groups import nesting, parts, seating
from relay.store.state import rosters, rows

if TYPE_CHECKING:
    from relay.store.file.transaction import Transaction
    from relay.store.state.rows import ResourceRow

WHY: Final = "it came back to another part"
FULL: Final = "its part had no room"
GONE: Final = "its part is not there any more"


def put(tx: Transaction, group: ResourceRow, user: int, connection: str, *, want: bool) -> None:
    """Have a user in one group of TFE's, or out of it, and the whole group's roster with it.

    Args:
        tx: the transaction.
        group: the group itself or one of its parts.
        user: the user.
        connection: who is charged for what follows in other parts.
        want: in it, or out of it.
    """
    whole = group.part_of or group.id
    seat = seating.seat(tx, whole, user)
    via = tx.value("SELECT via FROM member WHERE group_id = ? AND user_id = ?", (whole, user))
    if want and seat is not None and seat != group.id:
        parts.bring(tx, seat, {user: False}, connection, WHY)
    if group.part_of is not None:
        was, _ = rosters.state(tx, group.id, user)
        rosters.set_desired(tx, group.id, user, want)
        _grow(tx, group.id, want - was)
        rosters.forget_absent(tx, group.id, user)
    if want:
        _grow(tx, whole, seating.note(tx, whole, user, 0 if group.part_of is None else group.id))
        nesting.mark(tx, whole, {user: bool(via)})
    elif seat == group.id:
        _grow(tx, whole, seating.note(tx, whole, user, None))


def relieve(tx: Transaction, group: ResourceRow, connection: str) -> None:
    """Find another seat for who is to join a group of TFE's that has more than it takes.

    A roster that was put back may be larger than it was when room was counted. Who is in it in TFE
    stays.
    """
    most = seating.most_in_part(tx)
    if most is None:
        return
    whole = rows.by_row(tx, group.part_of or group.id)
    size = rows.by_row(tx, group.id).size
    if group.part_of is None:
        size -= sum(part.size for part in seating.parts_of(tx, group.id))
    surplus = dict(
        tx.all(
            "SELECT m.user_id, w.via FROM member m JOIN member w"
            " ON w.group_id = ? AND w.user_id = m.user_id"
            " WHERE m.group_id = ? AND m.desired = 1 AND m.part = 0 AND m.confirmed = 0"
            " ORDER BY m.user_id DESC LIMIT ?",
            (whole.id, group.id, max(size - most, 0)),
        )
    )
    if not surplus:
        return
    parts.bring(tx, group.id, dict.fromkeys(surplus, False), connection, FULL)
    if group.part_of is not None:
        _grow(tx, whole.id, sum(seating.note(tx, whole.id, user, None) for user in surplus))
    _seat_again(tx, whole.id, surplus, connection, FULL)


def stand_alone(tx: Transaction, part: ResourceRow) -> None:
    """A part that is kept though its group goes is a group of its own from now on."""
    whole = rows.by_row(tx, part.part_of or part.id)
    if whole.state not in (rows.LIVE, rows.PARKED):
        tx.run("UPDATE resource SET part_of = NULL, part_no = NULL WHERE id = ?", (part.id,))


def sit_again(tx: Transaction, whole: int, part: int) -> None:
    """A part that stays after all has in it who the whole group has there."""
    tx.run(
        "UPDATE member SET desired = EXISTS (SELECT 1 FROM member w WHERE w.group_id = ?1"
        " AND w.user_id = member.user_id AND w.desired = 1 AND w.part = ?2) WHERE group_id = ?2",
        (whole, part),
    )
    tx.run(
        "UPDATE resource SET size = (SELECT count(*) FROM member WHERE group_id = ?1"
        " AND desired = 1) WHERE id = ?1",
        (part,),
    )


def seat_strays(tx: Transaction, whole: ResourceRow, connection: str) -> None:
    """Find another seat for whoever is placed in a part that the group does not have any more."""
    strays = dict(
        tx.all(
            "SELECT user_id, via FROM member WHERE group_id = ?1 AND desired = 1 AND part <> 0"
            " AND part NOT IN (SELECT id FROM resource WHERE part_of = ?1"
            " AND state IN ('live', 'parked'))",
            (whole.id,),
        )
    )
    if not strays:
        return
    _grow(tx, whole.id, sum(seating.note(tx, whole.id, user, None) for user in strays))
    _seat_again(tx, whole.id, strays, connection, GONE)


def _seat_again(
    tx: Transaction, group: int, users: dict[int, int], connection: str, why: str
) -> None:
    whole = rows.by_row(tx, group)
    seated = seating.spread(tx, whole, dict.fromkeys(users, True), seating.UNLIMITED)
    parts.move(tx, whole, seated, connection, why)
    nesting.mark(tx, whole.id, {user: bool(via) for user, via in users.items()})


def _grow(tx: Transaction, group: int, by: int) -> None:
    tx.run("UPDATE resource SET size = size + ? WHERE id = ?", (by, group))
