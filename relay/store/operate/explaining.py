"""The facts of one user or group, for an operator who asks why it is not in TFE as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from relay.rules.effects import EffectState, Key
from relay.rules.facts import Facts, Last, Membership, Parked, Pending
from relay.rules.types import Kind
from relay.store.file.transaction import from_json
from relay.store.state.claims import UNKNOWN

if TYPE_CHECKING:
    from relay.store.file.engine import Connection

SHOWN: Final = 200
"""Effects, memberships and parked changes in one answer."""

_FIND: Final = (
    # The id of any age first; then a name that is there; then an address; then who had the name.
    "SELECT id FROM (SELECT r.id, 0 AS rank FROM alias a JOIN resource r ON r.id = a.resource"
    "  WHERE a.id = ?1 AND r.kind = ?3"
    " UNION ALL SELECT id, CASE state WHEN 'live' THEN 1 WHEN 'parked' THEN 3 WHEN 'deleted' THEN 4"
    "  ELSE 5 END FROM resource WHERE kind = ?3 AND name_key = ?2"
    " UNION ALL SELECT id, 2 FROM resource WHERE ?3 = 'User' AND email = ?1 COLLATE NOCASE"
    "  AND state = 'live'"
    " UNION ALL SELECT id, 2 FROM resource WHERE kind = ?3 AND external_id = ?1 AND state = 'live')"
    " ORDER BY rank, id DESC LIMIT 1"
)

_WHOLE: Final = "IN (SELECT id FROM resource WHERE id = ?1 OR part_of = ?1)"
"""What a large group waits for, its parts wait for (decision 9)."""

_PENDING: Final = (
    "SELECT e.key, e.state, e.last, e.revokes, e.held_by, e.due, e.reason, m.name, m.target_id"
    " FROM effect e LEFT JOIN resource m ON m.id = e.key AND e.key > 0"
)


def find(connection: Connection, kind: Kind, text: str) -> int | None:
    """The row of the resource that an id, a name, an address or an `externalId` means."""
    row = connection.execute(_FIND, (text, text.casefold(), kind.value)).fetchone()
    return None if row is None else row[0]


def facts(connection: Connection, row: int, now: float) -> Facts:
    """All that explains one resource."""
    kind, name, public_id, target, state, active, size, c_size, last = connection.execute(
        "SELECT kind, name, public_id, target_id, state, active, size,"
        f" (SELECT sum(c_size) FROM resource WHERE id {_WHOLE}), last_change"
        " FROM resource WHERE id = ?1",
        (row,),
    ).fetchone()
    lane, behind, ahead = _lane(connection, row)
    return Facts(
        kind=kind,
        name=name,
        id=public_id,
        tfe_id=target,
        state=state,
        suspended=kind == Kind.USER.value and active == 0,
        last=_last(connection, last, now),
        lane=lane,
        ahead=ahead,
        behind=behind,
        pending=_effects(connection, kind, row, now),
        parked=_parked(connection, row),
        rejected=_rejected(connection, kind, row),
        drift=_drift(connection, row),
        memberships=_memberships(connection, row, now) if kind == Kind.USER.value else (),
        members=(size, c_size),
    )


def what(key: int, member: str | None, kind: str) -> str:
    """What an effect would do, in an operator's words."""
    if key > 0:
        return f"membership of {member}"
    return {
        Key.EXISTS: f"existence of the {kind.lower()}",
        Key.ACTIVE: "active",
        Key.NAME: "name",
        Key.EXTERNAL_ID: "externalId",
        Key.EMAIL: "address",
    }[Key(key)]


def deed(key: int, member: str | None, kind: str, *, revokes: bool) -> str:
    """What letting an effect go does: whoever decides on it must know which way it goes."""
    if key > 0:
        return f"{'remove' if revokes else 'add'} member {member}"
    match Key(key):
        case Key.EXISTS:
            return f"{'delete' if revokes else 'create'} the {kind.lower()}"
        case Key.ACTIVE:
            return "deactivate" if revokes else "activate"
        case other:
            return f"change {what(other, member, kind)}"


def _lane(connection: Connection, row: int) -> tuple[str | None, str | None, int]:
    """The lane's state, who has the name it waits for, and how many lanes are older."""
    lane = connection.execute(
        "SELECT l.state, b.name, l.first FROM lane l LEFT JOIN resource b ON b.id = l.behind"
        " WHERE l.resource = ?",
        (row,),
    ).fetchone()
    if lane is None:
        return None, None, 0
    ahead = connection.execute(
        "SELECT count(*) FROM lane WHERE state = 'ready' AND first < ?", (lane[2],)
    ).fetchone()[0]
    return lane[0], lane[1], ahead


def _last(connection: Connection, change: int, now: float) -> Last | None:
    found = connection.execute(
        "SELECT id, verb, connection, at FROM change WHERE id = ?", (change,)
    ).fetchone()
    if found is None:
        return None
    number, verb, by, at = found
    return Last(number, verb, by, max(0.0, now - at))


def _effects(connection: Connection, kind: str, row: int, now: float) -> tuple[Pending, ...]:
    """What is not settled: what takes access away first, then the resource's own keys."""
    found = connection.execute(
        f"{_PENDING} WHERE e.resource {_WHOLE} AND e.state <> 'parked'"
        " ORDER BY e.revokes DESC, e.key > 0, e.state, e.key DESC LIMIT ?2",
        (row, SHOWN),
    )
    return tuple(_of_row(each, kind, now) for each in found)


def _of_row(row: tuple[Any, ...], kind: str, now: float) -> Pending:
    key, state, last, revokes, held_by, due, reason, member, target = row
    refused = from_json(reason) or {}
    return Pending(
        EffectState(state),
        last,
        what(key, member, kind),
        bool(revokes),
        held_by,
        due - now,
        refused.get("status"),
        refused.get("detail"),
        member if key > 0 and target is None else None,
    )


def _parked(connection: Connection, row: int) -> tuple[Parked, ...]:
    found = connection.execute(
        f"SELECT id, status, detail FROM change WHERE resource {_WHOLE} AND state = 'parked'"
        " ORDER BY id DESC LIMIT ?2",
        (row, SHOWN),
    )
    return tuple(Parked(*each) for each in found)


def _rejected(connection: Connection, kind: str, row: int) -> tuple[tuple[str, str], ...]:
    found = connection.execute(
        "SELECT j.key, m.name, j.actor, j.reason FROM rejected j"
        f" LEFT JOIN resource m ON m.id = j.key AND j.key > 0 WHERE j.resource {_WHOLE} LIMIT ?2",
        (row, SHOWN),
    )
    return tuple(
        (what(key, member, kind), f"{actor}: {reason}") for key, member, actor, reason in found
    )


def _drift(connection: Connection, row: int) -> tuple[str, ...]:
    found = connection.execute(
        f"SELECT what, detail FROM drift WHERE resource {_WHOLE} ORDER BY id LIMIT ?2", (row, SHOWN)
    )
    return tuple(f"{kind.replace('_', ' ')}, {detail}" for kind, detail in found)


def _memberships(connection: Connection, row: int, now: float) -> tuple[Membership, ...]:
    """The groups of a user; in a large group the part that has a seat for it."""
    groups = connection.execute(
        "SELECT m.group_id, g.name, m.desired, m.confirmed, m.part, p.name"
        " FROM member m JOIN resource g ON g.id = m.group_id AND g.part_of IS NULL"
        " LEFT JOIN resource p ON p.id = m.part AND m.part <> 0"
        " WHERE m.user_id = ? AND g.state <> 'gone' ORDER BY g.name LIMIT ?",
        (row, SHOWN),
    ).fetchall()
    return tuple(
        _membership(connection, row, each, now) for each in groups if each[2] or each[3] or each[4]
    )


def _membership(connection: Connection, user: int, row: tuple[Any, ...], now: float) -> Membership:
    group, name, wanted, confirmed, part, part_name = row
    place = part or group
    if part:
        seat = connection.execute(
            "SELECT confirmed FROM member WHERE group_id = ? AND user_id = ?", (part, user)
        ).fetchone()
        confirmed = 0 if seat is None else seat[0]
    effect = connection.execute(
        f"{_PENDING} WHERE e.resource = ? AND e.key = ?", (place, user)
    ).fetchone()
    pending = None if effect is None else _of_row(effect, Kind.GROUP.value, now)
    in_tfe = None if confirmed == UNKNOWN else bool(confirmed)
    return Membership(name, part_name, bool(wanted), in_tfe, pending)
