"""Memberships as rows: what a write does to a group's roster, key by key.

Adding one member touches one row, whatever the group's size. Ids that no resource ever had are a
404 (contract: `members[].value` must be existing SCIM user ids); a group as a member is left out
and reported (G26), or stands for its members (`relay.store.groups.nesting`); removing a non-member
succeeds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from relay.errors import NotKnown
from relay.rules.types import Kind, MemberEdit, MemberOp
from relay.store.state.rows import DELETED, GONE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relay.store.file.transaction import Transaction

CHUNK: Final = 500
"""Ids in one look-up; SQLite takes more, its statement cache would not."""


@dataclass(slots=True)
class Asked:
    """What a write asks of a roster.

    Attributes:
        users: by row, whether each is to be named by the group.
        groups: by row, whether each is to be nested in it.
        left_out: ids that were to be added and are groups that cannot be nested.
    """

    users: dict[int, bool] = field(default_factory=dict)
    groups: dict[int, bool] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def resolve(tx: Transaction, edit: MemberEdit) -> tuple[list[int], dict[str, tuple[int, bool]]]:
    """The user rows an edit names; and of ids that are groups, the row and whether it is there.

    Raises:
        NotKnown: an id to add is no resource's, or its user was deleted.
    """
    users: list[int] = []
    groups: dict[str, tuple[int, bool]] = {}
    unknown: list[str] = []
    found = _rows_of(tx, edit.ids)
    for identifier in edit.ids:
        row, kind, state = found.get(identifier, (0, "", GONE))
        if kind == Kind.GROUP.value:
            groups[identifier] = (row, state not in (DELETED, GONE))
        elif state in (DELETED, GONE):
            unknown.append(identifier)
        else:
            users.append(row)
    if unknown and edit.op is not MemberOp.REMOVE:
        raise NotKnown(Kind.USER, unknown, f"no user has the id {unknown[0]!r} given as a member")
    return list(dict.fromkeys(users)), groups


def _rows_of(tx: Transaction, ids: Sequence[str]) -> dict[str, tuple[int, str, str]]:
    found: dict[str, tuple[int, str, str]] = {}
    for start in range(0, len(ids), CHUNK):
        part = ids[start : start + CHUNK]
        marks = ",".join("?" * len(part))
        for identifier, row, kind, state in tx.all(
            "SELECT a.id, r.id, r.kind, r.state FROM alias a JOIN resource r ON r.id = a.resource"
            f" WHERE a.id IN ({marks}) AND r.part_of IS NULL",
            part,
        ):
            found[identifier] = (row, kind, state)
    return found


def net(tx: Transaction, group: int, edits: Sequence[MemberEdit], *, flatten: bool) -> Asked:
    """What the edits ask of each user and group they touch, in order.

    A whole roster touches everyone in it and everyone now desired.

    Args:
        tx: the transaction.
        group: whose roster.
        edits: the steps.
        flatten: groups may be nested (`[groups] nested`).
    """
    asked = Asked()
    for edit in edits:
        users, groups = resolve(tx, edit)
        if edit.op is MemberOp.REPLACE:
            asked.users = dict.fromkeys((user for user in asked.users if asked.users[user]), False)
            asked.users.update(dict.fromkeys(desired(tx, group), False))
            asked.groups.update(dict.fromkeys(_nested(tx, group), False))
        asked.users.update(dict.fromkeys(users, edit.op is not MemberOp.REMOVE))
        for identifier, (row, there) in groups.items():
            if edit.op is MemberOp.REMOVE:
                asked.groups[row] = False
            elif flatten and there and row != group:
                asked.groups[row] = True
            else:
                asked.left_out.append(identifier)
    return asked


def _nested(tx: Transaction, group: int) -> list[int]:
    return [child for (child,) in tx.all("SELECT child FROM nest WHERE parent = ?", (group,))]


def desired(tx: Transaction, group: int) -> list[int]:
    """The users the IdP wants in a group."""
    return [
        user
        for (user,) in tx.all(
            "SELECT user_id FROM member WHERE group_id = ? AND desired = 1", (group,)
        )
    ]


def state(tx: Transaction, group: int, user: int) -> tuple[int, int]:
    """`(desired, confirmed)` of one membership in TFE's own group; confirmed 2 is unknown.

    Who is placed in another part of an overflowed group is not desired in this one.
    """
    row: tuple[int, int] | None = tx.one(
        "SELECT iif(part = 0, desired, 0), confirmed FROM member"
        " WHERE group_id = ? AND user_id = ?",
        (group, user),
    )
    return row or (0, 0)


def set_desired(tx: Transaction, group: int, user: int, value: bool) -> None:
    """Put a membership in the desired roster, or take it out."""
    tx.run(
        "INSERT INTO member (group_id, user_id, desired, confirmed) VALUES (?, ?, ?, 0)"
        " ON CONFLICT (group_id, user_id) DO UPDATE SET desired = excluded.desired",
        (group, user, value),
    )


def unsent(tx: Transaction, group: int) -> list[int]:
    """Who is desired in TFE's own group, is not known to be there, and has no effect open."""
    found = tx.all(
        "SELECT user_id FROM member m WHERE group_id = ?1 AND desired = 1 AND part = 0"
        " AND confirmed <> 1 AND NOT EXISTS"
        " (SELECT 1 FROM effect e WHERE e.resource = ?1 AND e.key = m.user_id) ORDER BY user_id",
        (group,),
    )
    return [user for (user,) in found]


def forget_absent(tx: Transaction, group: int, user: int) -> None:
    """Drop the row of a membership that is neither desired nor in TFE, nor about to be sent.

    Who is to be taken off although nobody knows of a membership (K3) needs the row to be planned.
    """
    tx.run(
        "DELETE FROM member WHERE group_id = ?1 AND user_id = ?2 AND desired = 0 AND confirmed = 0"
        " AND NOT EXISTS (SELECT 1 FROM effect WHERE resource = ?1 AND key = ?2"
        " AND state <> 'parked')",
        (group, user),
    )


def wait_for_room(tx: Transaction, group: int, users: Sequence[int]) -> None:
    """Let additions wait until the group has room for them in TFE."""
    tx.each(
        "UPDATE effect SET state = 'waiting' WHERE resource = ? AND key = ?",
        [(group, user) for user in users],
    )


def wait_for_users(tx: Transaction, group: int) -> None:
    """Let additions wait whose users TFE does not have, or is about to lose."""
    tx.run(
        "UPDATE effect SET state = 'waiting' WHERE resource = ? AND state = 'open' AND revokes = 0"
        " AND key > 0 AND key IN"
        " (SELECT id FROM resource WHERE id = key AND (state <> 'live' OR target_id IS NULL))",
        (group,),
    )


def room_made(tx: Transaction, group: int) -> None:
    """TFE took members off: additions that waited for room, and whose users exist, may be sent."""
    tx.run(
        "UPDATE effect SET state = 'open' WHERE resource = ? AND state = 'waiting' AND key IN"
        " (SELECT id FROM resource WHERE id = key AND target_id IS NOT NULL)",
        (group,),
    )
