"""Queries of the directory: what IdPs read, from committed rows only (A5).

They run on the reader thread, or inside a transaction where an answer's view is fixed together
with its decision. Each is an indexed look-up or a bounded page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from relay.rules.types import JsonObject, Kind
from relay.store.file.transaction import Transaction, from_json
from relay.store.state.records import SHORT_ROSTER, ListQuery, Member, Page, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from relay.store.file.engine import Connection
    from relay.store.state.rows import ResourceRow

VIEW: Final = "id, public_id, shadow, created, modified"

LOOKUP: Final = {
    "id": "id = (SELECT resource FROM alias WHERE id = ?)",
    "userName": "name_key = ?",
    "displayName": "name_key = ?",
    "externalId": "external_id = ?",
    "emails.value": "email = ?",
    "members.value": "id IN (SELECT holder FROM (SELECT group_id AS holder, user_id AS member"
    " FROM member WHERE desired = 1 AND via = 0 UNION ALL SELECT parent, child FROM nest)"
    " WHERE member = (SELECT resource FROM alias WHERE id = ?))",
}
FOLDED: Final = frozenset({"userName", "displayName"})
NAME_KEYS: Final = {Kind.USER: "userName", Kind.GROUP: "displayName"}


def resource_view(tx: Transaction, row: ResourceRow, *, members: bool) -> Resource:
    """A resource as the IdP may be told inside this transaction."""
    return Resource(
        row.id,
        row.type,
        row.public_id,
        from_json(row.shadow),
        row.created,
        row.modified,
        _members(tx.connection, row.id) if members and row.type is Kind.GROUP else None,
    )


def settled_view(tx: Transaction, row: ResourceRow) -> Resource | None:
    """What a settlement shows: whoever needs a longer roster than that reads it."""
    return resource_view(tx, row, members=row.size <= SHORT_ROSTER) if row.wanted else None


def get(connection: Connection, kind: Kind, identifier: str, *, members: bool) -> Resource | None:
    """The live resource that any of its ids names, or None."""
    row = connection.execute(
        f"SELECT {VIEW} FROM resource"
        " WHERE id = (SELECT resource FROM alias WHERE id = ?) AND kind = ? AND state = 'live'"
        " AND part_of IS NULL",
        (identifier, kind.value),
    ).fetchone()
    return None if row is None else _resource(connection, kind, row, members=members)


def _resource(connection: Connection, kind: Kind, row: Any, *, members: bool) -> Resource:
    number, public_id, shadow, created, modified = row
    return Resource(
        number,
        kind,
        public_id,
        from_json(shadow),
        created,
        modified,
        _READ[kind](connection, number) if members else None,
    )


def _groups(connection: Connection, user: int) -> tuple[Member, ...]:
    """The groups a user is in, as IdPs see them: a large one is one, its parts are nobody's."""
    found = connection.execute(
        "SELECT g.public_id, g.name, m.via FROM member m JOIN resource g ON g.id = m.group_id"
        " WHERE m.user_id = ? AND m.desired = 1 AND g.state = 'live' AND g.part_of IS NULL"
        " ORDER BY m.group_id",
        (user,),
    )
    return tuple(Member(row[0], row[1], Kind.GROUP, indirect=bool(row[2])) for row in found)


def _members(connection: Connection, group: int) -> tuple[Member, ...]:
    """Whom the IdP put in a group: users, then nested groups, not those who come with them."""
    users = connection.execute(
        "SELECT u.public_id, u.name FROM member m JOIN resource u ON u.id = m.user_id"
        " WHERE m.group_id = ? AND m.desired = 1 AND m.via = 0 AND u.state = 'live'"
        " ORDER BY m.user_id",
        (group,),
    )
    groups = connection.execute(
        "SELECT g.public_id, g.name FROM nest n JOIN resource g ON g.id = n.child"
        " WHERE n.parent = ? AND g.state = 'live' ORDER BY n.child",
        (group,),
    )
    return (
        *(Member(identifier, name) for identifier, name in users),
        *(Member(identifier, name, Kind.GROUP) for identifier, name in groups),
    )


_READ: Final = {Kind.USER: _groups, Kind.GROUP: _members}


def list_page(connection: Connection, kind: Kind, query: ListQuery) -> Page:
    """One page in the order of creation, which never changes."""
    where, values = "kind = ? AND state = 'live' AND part_of IS NULL", [kind.value]
    if query.equals is not None:
        condition, value = _condition(kind, *query.equals)
        if condition is None:
            return Page(0, ())
        where, values = f"{where} AND {condition}", [*values, value]
    total = connection.execute(f"SELECT count(*) FROM resource WHERE {where}", values).fetchone()[0]
    if not query.count or query.start > total:
        return Page(total, ())
    rows = connection.execute(
        f"SELECT {VIEW} FROM resource WHERE {where} ORDER BY id LIMIT ? OFFSET ?",
        (*values, query.count, query.start - 1),
    ).fetchall()
    return Page(
        total, tuple(_resource(connection, kind, row, members=query.members) for row in rows)
    )


def _condition(kind: Kind, key: str, value: str) -> tuple[str | None, str]:
    """The indexed condition of a look-up; None where this type has no such attribute."""
    if key in FOLDED and key != NAME_KEYS[kind]:
        return None, value
    if key == "emails.value":
        return ("email = ? COLLATE NOCASE" if kind is Kind.USER else None), value
    return LOOKUP[key], value.casefold() if key in FOLDED else value


def public_ids(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """The public id of each resource that one of these ids names; unknown ones are left out."""
    marks = ",".join("?" * len(ids))
    rows = connection.execute(
        "SELECT a.id, r.public_id FROM alias a JOIN resource r ON r.id = a.resource"
        f" WHERE a.id IN ({marks})",
        tuple(ids),
    )
    return dict(rows.fetchall())


def scan(
    connection: Connection,
    kind: Kind,
    matches: Callable[[Resource], bool],
    query: ListQuery,
    limit: int,
) -> Page | None:
    """A page of what a predicate picks, over at most `limit` resources; None if there are more."""
    rows = connection.execute(
        f"SELECT {VIEW} FROM resource WHERE kind = ? AND state = 'live' AND part_of IS NULL"
        " ORDER BY id LIMIT ?",
        (kind.value, limit + 1),
    ).fetchall()
    if len(rows) > limit:
        return None
    found = [
        resource
        for row in rows
        if matches(resource := _resource(connection, kind, row, members=query.members))
    ]
    page = found[query.start - 1 : query.start - 1 + query.count]
    return Page(len(found), tuple(page))


def why_missing(connection: Connection, kind: Kind, identifier: str) -> JsonObject | None:
    """TFE's refusal, if this id is that of a creation it refused (the reason reaches the IdP)."""
    row = connection.execute(
        "SELECT e.reason FROM effect e JOIN resource r ON r.id = e.resource"
        " WHERE r.id = (SELECT resource FROM alias WHERE id = ?) AND r.kind = ?"
        " AND r.state = 'parked' AND e.key = 0 AND e.state = 'parked'",
        (identifier, kind.value),
    ).fetchone()
    return None if row is None else from_json(row[0])
