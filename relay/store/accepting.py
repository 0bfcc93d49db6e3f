"""Accepting a write: one transaction checks it, moves *desired*, and inserts the change.

Carries A3 (the transaction holds all that delivery needs), A4 (a repeated POST has one effect), A6
(what can never succeed is refused now). Nothing here asks TFE anything.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from relay.errors import NotKnown, ParkedBefore, Refused, Unavailable
from relay.rules import shadow as shadows
from relay.rules.effects import KEY_OF, EffectState, differing, revokes, shadow_attribute
from relay.rules.types import Field, Fields, JsonObject, Kind, Verb, Write
from relay.store import creating, effects, lanes, removing, rosters, rows
from relay.store.reading import resource_view
from relay.store.records import Accepted, ChangeState
from relay.store.transaction import Transaction, from_json, to_json

if TYPE_CHECKING:
    from relay.rules.contract import TargetProfile
    from relay.store.rows import ResourceRow

STALE_S = 300.0
"""An explicit revocation that changes nothing is sent again if TFE's word is older (K3)."""


@dataclass(frozen=True, slots=True)
class AcceptRules:
    """What accepting depends on besides the database.

    Attributes:
        profile: the target's limits.
        missing_address: policy for a user without an address (`relay.rules.shadow.project`).
        max_pending: changes that may be pending; more are answered 503, none is dropped (A8).
        patience: lanes that may be ahead of a client who waits for TFE's own answer (A3).
    """

    profile: TargetProfile
    missing_address: str
    max_pending: int
    patience: int


@dataclass(frozen=True, slots=True)
class Accepting:
    """One request to accept.

    Attributes:
        connection: the IdP connection's name.
        write: the request in normal form.
        resource_id: the id in the path; None for a create.
        patient: the client may be kept waiting for TFE's own answer.
        strict: the client is never told success TFE has not given, so it waits in any case.
        members: whether the answer carries the roster.
    """

    connection: str
    write: Write
    resource_id: str | None = None
    patient: bool = False
    strict: bool = False
    members: bool = False


def accept(tx: Transaction, request: Accepting, rules: AcceptRules) -> Accepted:
    """Take a write in.

    Raises:
        Refused: it can never succeed (400, 404, 409, 413); nothing changed.
        NotKnown: an id it names is not in the directory (404, or ask TFE during the import).
        Unavailable: too much is pending, or the disk is full.
    """
    if tx.value("SELECT value FROM counter WHERE name = 'pending'") >= rules.max_pending:
        raise Unavailable(f"{rules.max_pending} changes are pending already", retry_after_s=60)
    match request.write.verb:
        case Verb.CREATE:
            return creating.create(tx, request, rules)
        case Verb.DELETE:
            resource = _existing(tx, request)
            change = insert_change(tx, request, resource.id, {"exists": False})
            removing.remove(tx, resource, change)
        case Verb.REPLACE | Verb.PATCH:
            resource = _existing(tx, request)
            change = _update(tx, request, resource, rules)
    return finish(tx, request, change, resource.id, rules)


def _existing(tx: Transaction, request: Accepting) -> ResourceRow:
    kind, identifier = request.write.kind, request.resource_id or ""
    resource = rows.by_id(tx, kind, identifier)
    if resource is None or resource.state == rows.GONE:
        raise NotKnown(kind, [identifier], f"no {kind} has the id {identifier!r}")
    if resource.state == rows.PARKED:
        raise Refused(404, creating.why_parked(tx, resource))
    if resource.state == rows.DELETED:
        raise Refused(404, f"no {kind} has the id {identifier!r}: it was deleted")
    return resource


def _update(tx: Transaction, request: Accepting, resource: ResourceRow, rules: AcceptRules) -> int:
    """Apply a PUT or PATCH to desired; the change's id."""
    write = request.write
    old_shadow = from_json(resource.shadow)
    new_shadow = shadows.apply(write, old_shadow)
    old = resource.desired
    new = shadows.project(write.kind, new_shadow, old, rules.missing_address)
    if new.name.casefold() != resource.name_key:
        refuse_taken_name(tx, write.kind, new.name, resource.id, rules.profile)
    wanted, _ = rosters.net(tx, resource.id, write.members)
    written = differing(old, new) | _asserted(tx, write, resource, new)
    _refuse_known_refusal(tx, resource, written, new)
    change = insert_change(
        tx, request, resource.id, _writes(write.kind, new, new_shadow, written, wanted)
    )
    if new_shadow != old_shadow or differing(old, new):
        tx.run(
            "UPDATE resource SET shadow = ?, modified = ? WHERE id = ?",
            (to_json(new_shadow), tx.now, resource.id),
        )
    for field in written:
        rows.set_desired(tx, resource.id, field, getattr(new, field))
        _write_field(tx, resource, field, change, (old, new, old_shadow))
    size = write_members(tx, resource, wanted, change, rules.profile)
    if wanted:
        tx.run(
            "UPDATE resource SET size = ?, modified = ? WHERE id = ?", (size, tx.now, resource.id)
        )
    return change


def _writes(
    kind: Kind,
    fields: Fields,
    shadow: JsonObject,
    written: frozenset[Field],
    wanted: dict[int, bool],
) -> dict[str, object]:
    """A change's own values, by key: what replaying the survivors needs (semantics S1)."""
    writes: dict[str, object] = {}
    if written:
        writes["f"] = {field.value: getattr(fields, field) for field in written}
        writes["s"] = {
            name: shadow.get(name) for name in (shadow_attribute(kind, field) for field in written)
        }
    for sign, value in (("+", True), ("-", False)):
        users = [user for user, want in wanted.items() if want is value]
        if users:
            writes[sign] = users
    return writes


def _asserted(
    tx: Transaction, write: Write, resource: ResourceRow, new: Fields
) -> frozenset[Field]:
    """The fields that a write names without changing them, where that still means something.

    Either TFE does not have them yet, so this change is not delivered before they are; or it is a
    revocation repeated after a while, which is sent again (K3).
    """
    named = set()
    for field in write.written:
        effect = effects.find(tx, resource.id, KEY_OF[field])
        open_now = effect is not None and effect.state != EffectState.PARKED
        again = field is Field.ACTIVE and new.active is False and _stale(tx, resource)
        if open_now or again:
            named.add(field)
    return frozenset(named)


def _stale(tx: Transaction, resource: ResourceRow) -> bool:
    return bool(resource.c_exists) and tx.now - resource.c_at > STALE_S


def _refuse_known_refusal(
    tx: Transaction, resource: ResourceRow, written: frozenset[Field], new: Fields
) -> None:
    """Hand TFE's refusal of the very same value to the IdP, once (design, *Settle*).

    Raises:
        ParkedBefore: with TFE's own status and words.
    """
    for field in written:
        note = tx.value(
            "SELECT reason FROM effect WHERE resource = ? AND key = ? AND state = 'parked'",
            (resource.id, int(KEY_OF[field])),
        )
        reason = from_json(note)
        if reason and reason["value"] == getattr(new, field) and not reason["told"]:
            raise ParkedBefore(reason, resource.id, int(KEY_OF[field]))


def _write_field(
    tx: Transaction,
    resource: ResourceRow,
    field: Field,
    change: int,
    values: tuple[Fields, Fields, JsonObject],
) -> None:
    """Open, keep or close the effect on one field."""
    old, new, old_shadow = values
    key = KEY_OF[field]
    wanted = getattr(new, field)
    confirmed = resource.confirmed
    effect = effects.find(tx, resource.id, key)
    unknown = effect is not None and bool(effect.unknown)
    there = confirmed is not None and getattr(confirmed, field) == wanted and not unknown
    again = there and field is Field.ACTIVE and wanted is False and _stale(tx, resource)
    if there and not again:
        if effects.close(tx, resource.id, key):
            _delivered(tx, resource.id)
        return
    base = {
        "v": getattr(old, field),
        "s": old_shadow.get(shadow_attribute(resource.type, field)),
    }
    effects.write(
        tx,
        resource.id,
        key,
        change,
        base=base,
        revokes=revokes(key, wanted),
        unknown=again,
    )


def _delivered(tx: Transaction, resource: int) -> None:
    effects.settle_changes(tx, resource)


def write_members(
    tx: Transaction,
    group: ResourceRow,
    wanted: dict[int, bool],
    change: int,
    profile: TargetProfile,
) -> int:
    """Move the desired roster; the group's new size.

    Raises:
        Refused: 413, the group would have more members than TFE takes.
    """
    states = {user: rosters.state(tx, group.id, user) for user in wanted}
    size = group.size + sum(want - states[user][0] for user, want in wanted.items())
    if size > profile.max_members and size > group.size:
        raise Refused(
            413,
            f"{group.name!r} would have {size} members; Terraform Enterprise takes"
            f" {profile.max_members} in a group",
            "tooMany",
        )
    closed = False
    for user, want in wanted.items():
        closed = _write_member(tx, group.id, user, want, states[user], change) or closed
    if closed:
        _delivered(tx, group.id)
    return size


def _write_member(
    tx: Transaction, group: int, user: int, want: bool, state: tuple[int, int], change: int
) -> bool:
    """Open, keep or close the effect on one membership; True when one was closed."""
    now_desired, confirmed = state
    if bool(now_desired) != want:
        rosters.set_desired(tx, group, user, want)
    if confirmed == want:
        closed = effects.close(tx, group, user)
        rosters.forget_absent(tx, group, user)
        return closed
    exists = tx.value("SELECT target_id FROM resource WHERE id = ?", (user,)) is not None
    effects.write(
        tx,
        group,
        user,
        change,
        base=now_desired,
        revokes=not want,
        state=EffectState.OPEN if exists or not want else EffectState.WAITING,
    )
    return False


def refuse_taken_name(
    tx: Transaction, kind: Kind, name: str, but: int | None, profile: TargetProfile
) -> None:
    """Refuse a name that another live resource has, or that the target reserves.

    Raises:
        Refused: 409 `uniqueness`, as TFE would.
    """
    holder = rows.live_by_name(tx, kind, name)
    if holder is not None and holder.id != but:
        raise Refused(
            409,
            f"another {kind} has the {kind.name_attribute} {name!r} (id {holder.public_id})",
            "uniqueness",
        )
    if kind is Kind.GROUP and name.casefold() in profile.reserved_group_names:
        raise Refused(409, f"the target reserves the group name {name!r}", "uniqueness")


def insert_change(
    tx: Transaction,
    request: Accepting,
    resource: int,
    writes: dict[str, object],
    digest: str | None = None,
) -> int:
    """Insert the change's row and count it; its id is never used again."""
    change = tx.insert(
        "INSERT INTO change (resource, connection, verb, at, state, writes, digest)"
        " VALUES (?, ?, ?, ?, 'pending', ?, ?)",
        (resource, request.connection, request.write.verb.value, tx.now, to_json(writes), digest),
    )
    tx.count("accepted")
    tx.count(ChangeState.PENDING.value)
    tx.run("UPDATE resource SET last_change = ? WHERE id = ?", (change, resource))
    tx.audit("accepted", request.connection, change=change, resource=resource)
    tx.outbox.counted.append(("changes", "accepted"))
    return change


def digest_of(write: Write) -> str:
    """A create's fingerprint in normal form: it tells a repetition from another request (A1)."""
    return hashlib.sha256(orjson.dumps([write.edits, write.members])).hexdigest()


def finish(
    tx: Transaction, request: Accepting, change: int, row: int, rules: AcceptRules
) -> Accepted:
    """Refresh the lane and decide who answers: the directory now, or TFE in a moment (A2, A3)."""
    alone = tx.one("SELECT 1 FROM lane WHERE resource = ?", (row,)) is None
    resource = rows.by_row(tx, row)
    pending = _is_pending(tx, row, change)
    lanes.touch(tx, resource, change)
    wait = pending and (request.strict or (request.patient and alone and _soon(tx, rules.patience)))
    if not wait:
        tx.run("UPDATE change SET answered_by = 'directory' WHERE id = ?", (change,))
    view = (
        None
        if resource.state != rows.LIVE
        else resource_view(tx, resource, members=request.members)
    )
    return Accepted(change, view, wait=wait)


def _is_pending(tx: Transaction, row: int, change: int) -> bool:
    """Whether TFE has to be told anything for this change; if not, it is delivered (A4)."""
    if tx.value("SELECT state FROM change WHERE id = ?", (change,)) != ChangeState.PENDING.value:
        return False
    if effects.written_by(tx, row, change):
        return True
    effects.deliver(tx, [change])
    return False


def _soon(tx: Transaction, patience: int) -> bool:
    """Whether TFE's answer may come within the waiting time: no hold, few lanes ahead (A3)."""
    if tx.one("SELECT 1 FROM hold LIMIT 1") is not None:
        return False
    ahead: int = tx.value("SELECT count(*) FROM (SELECT 1 FROM lane LIMIT ?)", (patience + 1,))
    return ahead <= patience
