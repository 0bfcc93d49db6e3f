"""Accepting a write: one transaction checks it, moves *desired*, and inserts the change.

Carries A3 (the transaction holds all that delivery needs), A4 (a repeated POST has one effect), A6
(what can never succeed is refused now). Nothing here asks TFE anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.errors import NotKnown, Refused, Unavailable
from relay.rules import shadow as shadows
from relay.rules.effects import differing
from relay.rules.types import Field, Verb
from relay.store.edits import incoming, naming, removing, writing
from relay.store.file.transaction import Transaction, from_json, to_json
from relay.store.groups import nesting, part_upkeep, parts, seating
from relay.store.guarding import owning
from relay.store.intake import creating
from relay.store.state import rosters, rows

if TYPE_CHECKING:
    from relay.rules.types import Write
    from relay.store.edits.incoming import Accepting, AcceptRules
    from relay.store.state.records import Accepted
    from relay.store.state.rows import ResourceRow


RESERVE: Final = 10
"""One part in so many of `store.max_pending`, on top of it, is for revocations alone."""


def accept(tx: Transaction, request: Accepting, rules: AcceptRules) -> Accepted:
    """Take a write in.

    Raises:
        Refused: it can never succeed (400, 404, 409, 413); nothing changed.
        NotOwned: the resource is not this connection's to change (403).
        NotKnown: an id it names is not in the directory (404, or ask TFE during the import).
        Unavailable: too much is pending, or the disk is full.
    """
    _refuse_beyond(tx, rules.max_pending, request.write)
    if request.write.verb is Verb.CREATE:
        return creating.create(tx, request, rules)
    before = _existing(tx, request)
    owning.refuse_strangers(request, before)
    if request.write.verb is Verb.DELETE:
        return _delete(tx, request, before, rules)
    return _update(tx, request, before, rules)


def _refuse_beyond(tx: Transaction, most: int, write: Write) -> None:
    """Refuse what is too much (A8); a tenth more is kept for what takes access away.

    Raises:
        Unavailable: so many changes are pending.
    """
    room = most // RESERVE if write.may_revoke else 0
    if tx.value("SELECT value FROM counter WHERE name = 'pending'") >= most + room:
        raise Unavailable(f"{most} changes are pending already", retry_after_s=60)


def _existing(tx: Transaction, request: Accepting) -> ResourceRow:
    kind, identifier = request.write.kind, request.resource_id or ""
    resource = rows.by_id(tx, kind, identifier)
    if resource is None or resource.state == rows.GONE or resource.part_of is not None:
        raise NotKnown(kind, [identifier], f"no {kind} has the id {identifier!r}")
    if resource.state == rows.PARKED:
        raise Refused(404, creating.why_parked(tx, resource))
    if resource.state == rows.DELETED:
        raise Refused(404, f"no {kind} has the id {identifier!r}: it was deleted")
    return resource


def _delete(
    tx: Transaction, request: Accepting, before: ResourceRow, rules: AcceptRules
) -> Accepted:
    reach = nesting.reach(tx, before.id)
    change = incoming.insert_change(tx, request, before.id, {"exists": False})
    removing.remove(tx, before, change)
    accepted = incoming.finish(tx, request, change, before.id, rules, before)
    part_upkeep.end(tx, before, request.connection)
    nesting.follow(tx, reach, request.connection)
    return accepted


def _update(
    tx: Transaction, request: Accepting, resource: ResourceRow, rules: AcceptRules
) -> Accepted:
    """Apply a PUT or PATCH to desired, roster last."""
    write = request.write
    asked = rosters.net(tx, resource.id, write.members, flatten=rules.flatten)
    members = nesting.own(tx, resource.id, asked)
    seated = seating.spread(tx, resource, members.wanted, rules.profile.max_members)
    change = _update_fields(tx, request, resource, rules, seated.own)
    if members.wanted:
        parts.write(tx, resource, seated, change)
    nesting.mark(tx, resource.id, members.via)
    accepted = incoming.finish(tx, request, change, resource.id, rules, resource)
    parts.follow(tx, resource.id, seated, request.connection, own=request.own)
    if Field.NAME in write.written:
        part_upkeep.rename(tx, rows.by_row(tx, resource.id), request.connection, rules.profile)
    if members.users:
        reach = nesting.reach(tx, resource.id, members.users)
        nesting.follow(tx, reach, request.connection, rules.profile.max_members)
    return incoming.leave_out(tx, request, accepted, asked.left_out)


def _update_fields(
    tx: Transaction,
    request: Accepting,
    resource: ResourceRow,
    rules: AcceptRules,
    wanted: dict[int, bool],
) -> int:
    """Apply what a PUT or PATCH writes to the resource itself; the change's id."""
    write = request.write
    old_shadow = from_json(resource.shadow)
    new_shadow = shadows.apply(write, old_shadow)
    old = resource.desired
    new = shadows.project(write.kind, new_shadow, old, rules.missing_address)
    if new.name.casefold() != resource.name_key:
        naming.refuse_taken_name(tx, write.kind, new.name, resource.id, rules.profile, request)
    written = differing(old, new) | writing.asserted(tx, write, resource, new)
    writing.refuse_known_refusal(tx, resource, written, new)
    change = incoming.insert_change(
        tx, request, resource.id, writing.writes_of(write.kind, new, new_shadow, written, wanted)
    )
    if new_shadow != old_shadow or differing(old, new):
        tx.run(
            "UPDATE resource SET shadow = ?, modified = ? WHERE id = ?",
            (to_json(new_shadow), tx.now, resource.id),
        )
    for field in written:
        rows.set_desired(tx, resource.id, field, getattr(new, field))
        writing.write_field(tx, resource, field, change, (old, new, old_shadow))
    return change
