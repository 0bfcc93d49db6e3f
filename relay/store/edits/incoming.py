"""A write on its way in: what is known of it, its row, and what follows once desired has moved.

`accepting` and `creating` both end here: the change is inserted and counted, the guard looks, the
lane is refreshed, and it is decided who answers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from relay.store.file.transaction import Transaction, to_json
from relay.store.guarding import guard
from relay.store.state import checking, effects, lanes, rows
from relay.store.state.reading import resource_view
from relay.store.state.records import Accepted, ChangeState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relay.rules.contract import TargetProfile
    from relay.rules.types import Fields, JsonObject, Kind, Write
    from relay.store.state.rows import ResourceRow


@dataclass(frozen=True, slots=True)
class AcceptRules:
    """What accepting depends on besides the database.

    Attributes:
        profile: the target's limits.
        missing_address: policy for a user without an address (`relay.rules.shadow.project`).
        max_pending: changes that may be pending; more are answered 503, none is dropped (A8).
        patience: lanes that may be ahead of a client who waits for TFE's own answer (A3).
        flatten: a nested group stands for its members (`[groups] nested`).
        checks: a write that changes nothing has TFE asked (`[reconcile] on_drift = "mend"`).
    """

    profile: TargetProfile
    missing_address: str
    max_pending: int
    patience: int
    flatten: bool = False
    checks: bool = True


@dataclass(frozen=True, slots=True)
class Accepting:
    """One request to accept.

    Attributes:
        connection: the IdP connection's name.
        write: the request in normal form.
        resource_id: the id in the path; None for a create.
        patient: the client may be kept waiting for TFE's own answer.
        strict: the client is never told success TFE has not given, so it waits in any case.
        most_members: the answer carries a roster of at most so many, a longer one is left out.
        arrived: wall time of the request's head; None where nobody noted it.
        own: the connection may change only what it created or was given (`scope = "own"`).
    """

    connection: str
    write: Write
    resource_id: str | None = None
    patient: bool = False
    strict: bool = False
    most_members: int = 0
    arrived: float | None = None
    own: bool = False

    def may_change(self, resource: ResourceRow) -> bool:
        """Whether this connection may write to a resource."""
        return not self.own or resource.owner == self.connection


def insert_change(
    tx: Transaction,
    request: Accepting,
    resource: int,
    writes: dict[str, object],
    digest: str | None = None,
    why: str | None = None,
) -> int:
    """Insert the change's row and count it; its id is never used again."""
    change = tx.insert(
        "INSERT INTO change (resource, connection, verb, at, state, writes, digest, answered_by,"
        " accept_s) VALUES (?, ?, ?, ?, 'pending', ?, ?, 'directory', ?)",
        (
            resource,
            request.connection,
            request.write.verb.value,
            tx.now,
            to_json(writes),
            digest,
            0.0 if request.arrived is None else max(0.0, tx.now - request.arrived),
        ),
    )
    tx.count("accepted", ChangeState.PENDING.value)
    [(name,)] = tx.all(
        "UPDATE resource SET last_change = ? WHERE id = ? RETURNING name", (change, resource)
    )
    tx.audit(
        "accepted",
        request.connection,
        change=change,
        resource=resource,
        what=_told(request.write, writes),
        detail=name if why is None else f"{name}: {why}",
    )
    tx.outbox.counted.append(("changes", "accepted"))
    return change


def _told(write: Write, writes: dict[str, Any]) -> JsonObject:
    """What a change does, for the audit log: keys and rows, and no value that names anybody."""
    told: JsonObject = {"verb": write.verb.value, "kind": write.kind.value}
    fields = writes.get("f", {})
    if fields and "exists" not in writes:
        told["fields"] = sorted(fields)
    if "active" in fields:
        told["active"] = fields["active"]
    for sign, name in (("+", "adds"), ("-", "removes")):
        if sign in writes:
            told[name] = writes[sign]
    if writes.get("exists") is not True and (
        "exists" in writes or fields.get("active") is False or "-" in writes
    ):
        told["revokes"] = True
    return told


def insert_resource(
    tx: Transaction,
    kind: Kind,
    origin: str,
    fields: Fields,
    shadow: JsonObject,
) -> int:
    """Insert a new resource that a connection creates, with an id of ours; its row."""
    public_id = tx.new_id()
    row = tx.insert(
        "INSERT INTO resource (kind, public_id, state, origin, name, name_key, external_id, active,"
        " email, shadow, created, modified) VALUES (?, ?, 'live', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            kind.value,
            public_id,
            origin,
            fields.name,
            fields.name.casefold(),
            fields.external_id,
            fields.active,
            fields.email,
            to_json(shadow),
            tx.now,
            tx.now,
        ),
    )
    tx.run("INSERT INTO alias (id, resource) VALUES (?, ?)", (public_id, row))
    return row


def digest_of(write: Write) -> str:
    """A create's fingerprint in normal form: it tells a repetition from another request (A1)."""
    return hashlib.sha256(orjson.dumps([write.edits, write.members])).hexdigest()


def finish(
    tx: Transaction,
    request: Accepting,
    change: int,
    row: int,
    rules: AcceptRules,
    before: ResourceRow | None = None,
) -> Accepted:
    """Have the guard look, refresh the lane, and decide who answers: directory or TFE (A2, A3)."""
    if before is None:
        resource = rows.by_row(tx, row)
        pending, held = True, guard.review_creation(tx, resource, change)
        alone = lanes.touch(tx, resource, change)
    else:
        pending, held, alone = enter_lane(tx, request, change, before)
        resource = rows.by_row(tx, row)
        if rules.checks and not pending:
            checking.mark(tx, resource)
    soon = request.patient and alone and not held and _soon(tx, rules.patience)
    wait = pending and (request.strict or soon)
    if wait:
        undo = None if before is None else before.shadow
        tx.run("UPDATE change SET answered_by = NULL, undo = ? WHERE id = ?", (undo, change))
    view = (
        None
        if resource.state != rows.LIVE
        else resource_view(tx, resource, members=resource.size <= request.most_members)
    )
    return Accepted(change, view, wait=wait)


def enter_lane(
    tx: Transaction,
    request: Accepting,
    change: int,
    before: ResourceRow,
    emptied: int | None = None,
) -> tuple[bool, bool, bool]:
    """Have the guard look at an update, and put it in its lane.

    Args:
        tx: the transaction that wrote it.
        request: what was accepted.
        change: the change.
        before: its resource before the change.
        emptied: as `guard.review`.

    Returns:
        Whether TFE has to be told, whether the guard holds any of it, whether its lane was empty.
    """
    pending = _is_pending(tx, before.id, change)
    resource = rows.by_row(tx, before.id)
    held = guard.review(tx, before, resource, change, request, emptied)
    return pending, held, lanes.touch(tx, resource, change)


def _is_pending(tx: Transaction, row: int, change: int) -> bool:
    """Whether TFE has to be told anything for this change; if not, it is delivered (A4)."""
    if tx.value("SELECT state FROM change WHERE id = ?", (change,)) != ChangeState.PENDING.value:
        return False
    if effects.is_open(tx, row, change):
        return True
    effects.deliver(tx, row, [change])
    tx.outbox.counted.append(("saved", "no_op"))
    return False


def leave_out(
    tx: Transaction, request: Accepting, accepted: Accepted, groups: Sequence[str]
) -> Accepted:
    """Report groups that were to be members and are left out (G26)."""
    if not groups:
        return accepted
    detail = ", ".join(groups)
    tx.audit(
        "nested group left out",
        request.connection,
        change=accepted.change,
        what={"groups": len(groups)},
        detail=detail,
    )
    return replace(accepted, left_out=tuple(groups))


def _soon(tx: Transaction, patience: int) -> bool:
    """Whether TFE's answer may come within the waiting time: no hold, few lanes ahead (A3)."""
    if tx.one("SELECT 1 FROM hold LIMIT 1") is not None:
        return False
    # The lane of this very change is one of them.
    return patience >= 0 and tx.one("SELECT 1 FROM lane LIMIT 1 OFFSET ?", (patience,)) is None
