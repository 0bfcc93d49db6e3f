"""Groups in groups: TFE knows users only, so a nested group stands for its members (RFC 7643 4.2).

What the identity provider wrote is kept as rows: edges in `nest`, and `member.via`, which tells who
is in a group through nested ones only. Who belongs to a group is those it names, and those any
group below it names; a ring of groups is a set like any other. When that changes for the groups
above the one that was written, each gets a change of its own in the same transaction, just as if
the identity provider had made it (decision 8): order, guard, folding, parking and conservation
speak of it as of any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relay.store.file.transaction import to_json
from relay.store.groups import parts, seating
from relay.store.state import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from relay.store.file.transaction import Transaction
    from relay.store.state.rosters import Asked

NO_LIMIT: Final = 1 << 62
"""For what must not be refused any more: what an operator or TFE decided."""

# A group whose creation TFE refused is still one for those above it: its members are people.
_STANDS: Final = "state IN ('live', 'parked')"

_BELOW: Final = (
    "WITH RECURSIVE below(id) AS (SELECT ?1 UNION SELECT nest.child FROM below"
    " JOIN nest ON nest.parent = below.id JOIN resource r ON r.id = nest.child"
    f" AND r.{_STANDS})"
)
_ABOVE: Final = (
    "WITH RECURSIVE above(id) AS (SELECT ?1 UNION SELECT nest.parent FROM above"
    " JOIN nest ON nest.child = above.id JOIN resource r ON r.id = nest.parent"
    f" AND r.{_STANDS}) SELECT id FROM above WHERE id <> ?1 ORDER BY id"
)
_NAMED: Final = (
    " FROM below CROSS JOIN member m ON m.group_id = below.id AND m.desired = 1 AND m.via = 0"
    f" JOIN resource u ON u.id = m.user_id AND u.{_STANDS}"
)


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom a change of one group may concern.

    Attributes:
        group: the group.
        above: the groups that it is in, directly or not.
        users: whose memberships there are to be looked at.
    """

    group: int
    above: tuple[int, ...]
    users: frozenset[int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a write comes to for one group.

    Attributes:
        wanted: who is to be in it and who not.
        via: of each user looked at, whether it is there through nested groups only.
        users: everybody the write concerns, in the groups above too.
    """

    wanted: dict[int, bool]
    via: dict[int, bool]
    users: frozenset[int]


def own(tx: Transaction, group: int, asked: Asked) -> Outcome:
    """Move a group's edges, and tell what the write comes to for its own roster."""
    if not asked.groups and not _children(tx, group):
        return Outcome(asked.users, {}, frozenset(asked.users))
    moved = [child for child, nested in asked.groups.items() if _turn(tx, group, child, nested)]
    users = set(asked.users)
    for child in moved:
        users |= _everybody(tx, child)
    return _outcome(tx, group, asked.users, users)


def _children(tx: Transaction, group: int) -> bool:
    return tx.one("SELECT 1 FROM nest WHERE parent = ? LIMIT 1", (group,)) is not None


def _turn(tx: Transaction, group: int, child: int, nested: bool) -> bool:
    """Put a group into another, or take it out; False if it is so already."""
    if nested:
        statement = "INSERT OR IGNORE INTO nest (parent, child) VALUES (?, ?)"
    else:
        statement = "DELETE FROM nest WHERE parent = ? AND child = ?"
    return tx.run(statement, (group, child)) > 0


def _everybody(tx: Transaction, group: int) -> set[int]:
    """Who is named by a group or any group below it."""
    found = tx.all(f"{_BELOW} SELECT m.user_id{_NAMED}", (group,))
    return {user for (user,) in found}


def _outcome(
    tx: Transaction, group: int, named: Mapping[int, bool], users: Iterable[int]
) -> Outcome:
    concerned = {**named, **dict.fromkeys(sorted(set(users) - named.keys()), False)}
    marks = to_json(list(concerned))
    through = {
        user
        for (user,) in tx.all(
            f"{_BELOW} SELECT m.user_id{_NAMED}"
            " WHERE below.id <> ?1 AND m.user_id IN (SELECT value FROM json_each(?2))",
            (group, marks),
        )
    }
    here = {
        user: bool(via)
        for user, via in tx.all(
            "SELECT user_id, via FROM member WHERE group_id = ? AND desired = 1"
            " AND user_id IN (SELECT value FROM json_each(?))",
            (group, marks),
        )
    }
    wanted, via = {}, {}
    for user in concerned:
        direct = named[user] if user in named else not here.get(user, True)
        there = direct or user in through
        via[user] = there and not direct
        if there != (user in here) or named.get(user) == there:
            wanted[user] = there
    return Outcome(wanted, via, frozenset(concerned))


def mark(tx: Transaction, group: int, via: Mapping[int, bool]) -> None:
    """Note who is in a group through nested ones only, once its roster has moved."""
    tx.each(
        "UPDATE member SET via = ? WHERE group_id = ? AND user_id = ?",
        [(through, group, user) for user, through in via.items()],
    )


def reach(tx: Transaction, group: int, users: Iterable[int] | None = None) -> Reach:
    """Whom a change of these users' memberships concerns; None: of everybody the group stands for.

    What takes a group away asks before, since the edges go with it.
    """
    above = tuple(row for (row,) in tx.all(_ABOVE, (group,)))
    if not above:
        return Reach(group, (), frozenset())
    return Reach(group, above, frozenset(_everybody(tx, group) if users is None else users))


def follow(tx: Transaction, concerned: Reach, connection: str, most: int = NO_LIMIT) -> None:
    """Bring the groups above a group in step with what it stands for now.

    Args:
        tx: the transaction that moved its roster.
        concerned: whom that concerns.
        connection: who is charged.
        most: members that a group may have.

    Raises:
        Refused: 413, one of them would have more than `most`.
    """
    for group in concerned.above:
        outcome = _outcome(tx, group, {}, concerned.users)
        if outcome.wanted:
            _bring(tx, group, outcome.wanted, (connection, concerned.group), most)
        mark(tx, group, outcome.via)


def _bring(
    tx: Transaction, row: int, wanted: dict[int, bool], cause: tuple[str, int], most: int
) -> None:
    before = rows.by_row(tx, row)
    connection, below = cause
    name = tx.value("SELECT name FROM resource WHERE id = ?", (below,))
    seated = seating.spread(tx, before, wanted, most)
    parts.move(tx, before, seated, connection, f"through the nested group {name!r}")
