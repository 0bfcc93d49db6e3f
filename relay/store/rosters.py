"""Memberships as rows: what a write does to a group's roster, key by key.

Adding one member touches one row, whatever the group's size. Ids that no resource ever had are a
404 (contract: `members[].value` must be existing SCIM user ids); a group as a member is dropped and
reported (G26); removing a non-member succeeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.errors import NotKnown
from relay.rules.types import Kind, MemberEdit, MemberOp
from relay.store.rows import DELETED, GONE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relay.store.transaction import Transaction

CHUNK: Final = 500
"""Ids in one look-up; SQLite takes more, its statement cache would not."""


def resolve(tx: Transaction, edit: MemberEdit) -> tuple[list[int], list[str]]:
    """The user rows an edit names, and the ids that were dropped because they are groups.

    Raises:
        NotKnown: an id to add is no resource's, or its user was deleted.
    """
    users: list[int] = []
    groups: list[str] = []
    unknown: list[str] = []
    found = _rows_of(tx, edit.ids)
    for identifier in edit.ids:
        row, kind, state = found.get(identifier, (0, "", GONE))
        if kind == Kind.GROUP.value:
            groups.append(identifier)
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
            f" WHERE a.id IN ({marks})",
            part,
        ):
            found[identifier] = (row, kind, state)
    return found


def net(
    tx: Transaction, group: int, edits: Sequence[MemberEdit]
) -> tuple[dict[int, bool], list[str]]:
    """What the edits ask of each user they touch, in order, and the ids of dropped groups.

    A whole roster touches everyone in it and everyone now desired.
    """
    wanted: dict[int, bool] = {}
    dropped: list[str] = []
    for edit in edits:
        users, groups = resolve(tx, edit)
        dropped += groups
        if edit.op is MemberOp.REPLACE:
            wanted = dict.fromkeys((user for user in wanted if wanted[user]), False)
            wanted.update(dict.fromkeys(desired(tx, group), False))
        wanted.update(dict.fromkeys(users, edit.op is not MemberOp.REMOVE))
    return wanted, dropped


def desired(tx: Transaction, group: int) -> list[int]:
    """The users the IdP wants in a group."""
    return [
        user
        for (user,) in tx.all(
            "SELECT user_id FROM member WHERE group_id = ? AND desired = 1", (group,)
        )
    ]


def state(tx: Transaction, group: int, user: int) -> tuple[int, int]:
    """`(desired, confirmed)` of one membership; confirmed 2 is unknown."""
    row: tuple[int, int] | None = tx.one(
        "SELECT desired, confirmed FROM member WHERE group_id = ? AND user_id = ?", (group, user)
    )
    return row or (0, 0)


def set_desired(tx: Transaction, group: int, user: int, value: bool) -> None:
    """Put a membership in the desired roster, or take it out."""
    tx.run(
        "INSERT INTO member (group_id, user_id, desired, confirmed) VALUES (?, ?, ?, 0)"
        " ON CONFLICT (group_id, user_id) DO UPDATE SET desired = excluded.desired",
        (group, user, value),
    )


def forget_absent(tx: Transaction, group: int, user: int) -> None:
    """Drop the row of a membership that is neither desired nor in TFE."""
    tx.run(
        "DELETE FROM member WHERE group_id = ? AND user_id = ? AND desired = 0 AND confirmed = 0",
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
