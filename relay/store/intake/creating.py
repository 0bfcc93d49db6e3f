"""Accepting a POST: a new resource, a repeated one, or a parked one revived (semantics A1, S5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.errors import ParkedBefore
from relay.rules import shadow as shadows
from relay.rules.effects import Key
from relay.rules.ownership import NOBODY
from relay.rules.types import Field, Fields, JsonObject, Kind, Write
from relay.store.edits import incoming, naming, writing
from relay.store.file.transaction import Transaction, from_json, to_json
from relay.store.groups import nesting, parts, seating
from relay.store.guarding import owning
from relay.store.state import effects, rosters, rows
from relay.store.state.reading import resource_view
from relay.store.state.records import Accepted

if TYPE_CHECKING:
    from relay.store.edits.incoming import Accepting, AcceptRules
    from relay.store.groups.seating import Spread
    from relay.store.state.rows import ResourceRow


def create(tx: Transaction, request: Accepting, rules: AcceptRules) -> Accepted:
    """Take a POST in.

    Raises:
        Refused: 409 for a taken name, 404 for an unknown member, 413 for too many of them.
        ParkedBefore: TFE refused the very same creation; told once, then it is tried again.
    """
    write = request.write
    shadow = shadows.apply(write, None)
    fields = shadows.project(write.kind, shadow, None, rules.missing_address)
    digest = incoming.digest_of(write)
    holder = rows.live_by_name(tx, write.kind, fields.name)
    twin = None if holder is None else _unanswered_twin(tx, holder, digest, request)
    if twin is not None:
        return _repeat(tx, *twin, request)
    naming.refuse_held_name(tx, write.kind, fields.name, holder, rules.profile, request)
    parked = _parked(tx, write.kind, fields, request)
    if parked is not None:
        _refuse_once(tx, parked, digest)
    # Groups above one that TFE refused to create held on to whom it stood for.
    before = None if parked is None else nesting.reach(tx, parked.id)
    if parked is None:
        row = incoming.insert_resource(tx, write.kind, request.connection, fields, shadow)
    else:
        row = _revive(tx, parked, fields, shadow, request.connection)
    asked = _asked(tx, row, write, rules, revived=parked is not None)
    members = nesting.own(tx, row, asked)
    seated = _seated(tx, row, members.wanted, rules)
    writes = _writes(fields, seated.own, revives=parked is not None)
    change = incoming.insert_change(tx, request, row, writes, digest)
    effects.write(tx, row, Key.EXISTS, change, base=None, revokes=False)
    if members.wanted:
        parts.write(tx, rows.by_row(tx, row), seated, change)
        nesting.mark(tx, row, members.via)
    accepted = incoming.finish(tx, request, change, row, rules)
    parts.follow(tx, row, seated, request.connection, own=request.own)
    if before is not None:
        reach = nesting.reach(tx, row, before.users | members.users)
        nesting.follow(tx, reach, request.connection, rules.profile.max_members)
    return incoming.leave_out(tx, request, accepted, asked.left_out)


def _asked(
    tx: Transaction, row: int, write: Write, rules: AcceptRules, *, revived: bool
) -> rosters.Asked:
    """The roster a POST asks for; a revived group's parts are emptied of everybody else."""
    asked = rosters.net(tx, row, write.members, flatten=rules.flatten)
    if revived:
        asked.users = dict.fromkeys(seating.placed(tx, row), False) | asked.users
    return asked


def _seated(tx: Transaction, row: int, wanted: dict[int, bool], rules: AcceptRules) -> Spread:
    most = rules.profile.max_members
    if not wanted:
        return seating.Spread(wanted, most)
    return seating.spread(tx, rows.by_row(tx, row), wanted, most)


def _unanswered_twin(
    tx: Transaction, holder: ResourceRow, digest: str, request: Accepting
) -> tuple[ResourceRow, int, bool] | None:
    """The holder of the name, if this very POST created it and its answer may be lost (A1).

    The same words of another connection are another's creation: nobody repeats what it never said.
    """
    first = tx.one(
        "SELECT id, answered, answered_by FROM change WHERE id = ? AND digest = ?"
        " AND connection = ?",
        (holder.last_change, digest, request.connection),
    )
    if first is None or first[1] or not request.may_change(holder):
        return None
    return holder, first[0], first[2] is None


def _repeat(
    tx: Transaction, resource: ResourceRow, change: int, waiting: bool, request: Accepting
) -> Accepted:
    """The first answer again; a strict client still hears of no success before TFE has it."""
    tx.audit("repeated", request.connection, change=change, resource=resource.id)
    view = resource_view(tx, resource, members=resource.size <= request.most_members)
    return Accepted(change, view, repeat=True, wait=waiting or request.strict)


def _parked(tx: Transaction, kind: Kind, fields: Fields, request: Accepting) -> ResourceRow | None:
    """The parked creation whose place a POST takes; for `scope = "own"` none that is another's.

    Its id and its memberships are the other's, and an `externalId` means something to its own
    client only (RFC 7643 section 3.1).
    """
    mine = f" AND state = 'parked' AND (?4 IS NULL OR {owning.OWNER} IN (?4, '{NOBODY}')))"
    row = tx.value(
        f"SELECT ifnull((SELECT id FROM resource WHERE kind = ?1 AND name_key = ?2{mine},"
        f" (SELECT id FROM resource WHERE kind = ?1 AND external_id = ?3{mine})",
        (
            kind.value,
            fields.name.casefold(),
            fields.external_id,
            request.connection if request.own else None,
        ),
    )
    return None if row is None else rows.by_row(tx, row)


def _note(tx: Transaction, resource: int) -> dict[str, object] | None:
    note: dict[str, object] | None = from_json(
        tx.value(
            "SELECT reason FROM effect WHERE resource = ? AND key = 0 AND state = 'parked'",
            (resource,),
        )
    )
    return note


def _refuse_once(tx: Transaction, parked: ResourceRow, digest: str) -> None:
    note = _note(tx, parked.id)
    if note and note["value"] == digest and not note["told"]:
        raise ParkedBefore(note, parked.id, Key.EXISTS)


def why_parked(tx: Transaction, resource: ResourceRow) -> str:
    """The sentence for whoever asks for a resource whose creation TFE refused."""
    note = _note(tx, resource.id)
    said = f": {note['status']} {note['detail']}" if note else ""
    return f"Terraform Enterprise refused to create this {resource.kind}{said}; POST it again"


def _revive(
    tx: Transaction, parked: ResourceRow, fields: Fields, shadow: JsonObject, connection: str
) -> int:
    """Let a new POST take a parked creation's place under its id (S5); it is the POST's now."""
    tx.run("DELETE FROM effect WHERE resource = ? AND state = 'parked'", (parked.id,))
    tx.run("DELETE FROM member WHERE group_id = ? AND confirmed = 0 AND part = 0", (parked.id,))
    tx.run("DELETE FROM nest WHERE parent = ?", (parked.id,))
    tx.run("DELETE FROM rejected WHERE resource = ?", (parked.id,))  # what it says now stands
    tx.run(
        "UPDATE resource SET size = ?, state = 'live', shadow = ?, modified = ?, given_to = ?"
        " WHERE id = ?",
        (len(seating.placed(tx, parked.id)), to_json(shadow), tx.now, connection, parked.id),
    )
    for field in Field:
        rows.set_desired(tx, parked.id, field, getattr(fields, field))
    return parked.id


def _writes(fields: Fields, wanted: dict[int, bool], *, revives: bool) -> dict[str, object]:
    """A creation's own values, by key."""
    writes: dict[str, object] = {
        "exists": True,
        "f": {field.value: getattr(fields, field) for field in Field},
    }
    if revives:
        writes["revives"] = True
    return writes | writing.membership_writes({user: True for user in wanted if wanted[user]})
