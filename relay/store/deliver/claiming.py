"""Claiming: choose the most urgent ready lane, plan it, and commit the attempt before it is sent.

Carries D1 (the attempt row is on disk before the first byte), K1 (every key it touches is unknown
from here on) and H2 (revocation first, yet the oldest other lane gets one slot in ten).
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relay.errors import LaneFault
from relay.rules import reads
from relay.rules.planner import plan
from relay.rules.types import Field, Kind
from relay.store.compare import adopting
from relay.store.deliver import attempting, parking, unsendable
from relay.store.deliver.planning import Draft, draft, due_part
from relay.store.file.engine import is_trouble
from relay.store.state import lanes, names, rosters, rows
from relay.store.state.claims import Claim, Purpose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relay.rules.contract import TargetProfile
    from relay.rules.planner_types import Plan
    from relay.store.file.transaction import Transaction
    from relay.store.state.rows import ResourceRow


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing may be sent now.

    Attributes:
        next_due: wall time of the next lane or verification, or None.
    """

    next_due: float | None


VERIFY_AGAIN_S: Final = 120.0

_OLDEST_READY: Final = "SELECT resource, first FROM lane WHERE state = 'ready'"

_NEXT_RESTED: Final = "SELECT min(due) FROM lane WHERE state = 'resting'"

FAIR_TURN: Final = 10
"""Each tenth slot goes to the oldest lane without a revocation (H2)."""


def claim(
    tx: Transaction, turn: int, profile: TargetProfile, *, urgent: bool = False
) -> Claim | Idle:
    """The next request to send, or when to look again if nothing may be sent now.

    Args:
        tx: the transaction; after it the attempt is on disk.
        turn: the number of this slot; each tenth is fair to lanes without a revocation.
        profile: the target's limits.
        urgent: only what takes access away: nothing else is to have the connection.

    Raises:
        LaneFault: the lane whose turn it is cannot be made a request of.
    """
    if tx.one("SELECT 1 FROM hold LIMIT 1") is not None:
        return Idle(None)
    _wake_due(tx)
    while True:
        row = _urgent(tx) if urgent else _choose(tx, fair=turn % FAIR_TURN == FAIR_TURN - 1)
        if row is None and urgent:
            return Idle(tx.value(_NEXT_RESTED))
        if row is None:
            return _verification(tx) or Idle(_next_due(tx))
        with _charged(row):
            claimed = _claim_lane(tx, rows.by_row(tx, row), profile)
        if claimed is not None:
            return claimed


@contextmanager
def _charged(resource: int) -> Iterator[None]:
    """Say whose fault it is that nothing could be claimed; the disk's trouble is nobody's."""
    try:
        yield
    except Exception as error:
        if is_trouble(error):
            raise
        raise LaneFault(resource) from error


def _wake_due(tx: Transaction) -> None:
    tx.run("UPDATE lane SET state = 'ready' WHERE state = 'resting' AND due <= ?", (tx.now,))


def _next_due(tx: Transaction) -> float | None:
    due: float | None = tx.value(
        "SELECT min(due) FROM (SELECT min(due) AS due FROM lane WHERE state = 'resting'"
        " UNION ALL SELECT min(due) FROM verification)"
    )
    return due


def _urgent(tx: Transaction) -> int | None:
    row: int | None = tx.value(
        f"{_OLDEST_READY} AND urgency = {lanes.URGENT} ORDER BY first LIMIT 1"
    )
    return row


def _choose(tx: Transaction, *, fair: bool) -> int | None:
    if fair:
        # The oldest of each urgency: a range of urgencies would be sorted whole.
        row: int | None = tx.value(
            f"SELECT resource FROM (SELECT * FROM ({_OLDEST_READY} AND urgency = {lanes.NORMAL}"
            f" ORDER BY first LIMIT 1) UNION ALL SELECT * FROM ({_OLDEST_READY}"
            f" AND urgency = {lanes.UNFOLDING} ORDER BY first LIMIT 1)) ORDER BY first LIMIT 1"
        )
        if row is not None:
            return row
    chosen: int | None = tx.value(f"{_OLDEST_READY} ORDER BY urgency, first LIMIT 1")
    return chosen


def _claim_lane(tx: Transaction, resource: ResourceRow, profile: TargetProfile) -> Claim | None:
    ask = tx.value("SELECT ask FROM lane WHERE resource = ?", (resource.id,))
    if ask is not None:
        return _ask(tx, resource, ask)
    if not resource.c_exists and resource.type is Kind.GROUP:
        unsendable.close_absent(tx, resource)
    drafted = draft(tx, resource, profile)
    try:
        planned = plan(drafted.snapshot, profile) if drafted else None
    except ValueError as error:
        unsendable.park_unplannable(tx, resource, str(error))
        lanes.refresh(tx, rows.by_row(tx, resource.id))
        return None
    if drafted is None or planned is None or not planned.requests:
        _settle_nothing(tx, resource, drafted)
        return None
    return _write(tx, resource, drafted, planned)


def _settle_nothing(tx: Transaction, resource: ResourceRow, drafted: Draft | None) -> None:
    """Close effects that no request can bring closer, so that a lane never spins.

    What is left to be sent in a later slice is sent: an addition may wait for a removal's room.
    """
    if not resource.wanted and resource.target_id is None:
        adopting.absent(tx, resource.id)  # deleted before it ever came to be
    if drafted is not None:
        unsendable.close_unsendable(tx, resource, drafted.keys)
    rosters.wait_for_users(tx, resource.id)
    lanes.refresh(tx, rows.by_row(tx, resource.id))
    if drafted is not None and due_part(tx, resource) not in (None, drafted.part):
        return
    if tx.value("SELECT state FROM lane WHERE resource = ?", (resource.id,)) == "ready":
        tx.run("UPDATE lane SET state = 'blocked' WHERE resource = ?", (resource.id,))


def _write(tx: Transaction, resource: ResourceRow, drafted: Draft, planned: Plan) -> Claim:
    request = planned.requests[0]
    adds = tuple((drafted.users[target], target) for target in request.add)
    removes = tuple((drafted.users[target], target) for target in request.remove)
    before = attempting.mark_unknown(tx, resource, request, adds, removes)
    named = Field.NAME in request.fields and drafted.sent.name != resource.c_name
    if request.creates or named:
        tx.run(
            "UPDATE resource SET sent_name = ?, sent_name_key = ? WHERE id = ?",
            (drafted.sent.name, drafted.sent.name.casefold(), resource.id),
        )
    keys = tuple(key for key in parking.own_keys(request) if key in drafted.keys)
    attempt = attempting.begin(
        tx,
        resource.id,
        resource.last_change,
        Purpose.WRITE,
        request,
        (*keys, *(user for user, _ in (*adds, *removes))),
        planned.reason,
    )
    return Claim(
        attempt,
        resource.id,
        resource.type,
        Purpose.WRITE,
        request,
        resource.last_change,
        sent=drafted.sent,
        written=drafted.written,
        adds=adds,
        removes=removes,
        keys=keys,
        before=before,
        detour=drafted.detour,
        why=planned.reason,
    )


def _ask(tx: Transaction, resource: ResourceRow, ask: str) -> Claim:
    """The read that settles a doubt before anything else is sent in this lane."""
    if ask == "id":
        return _read_back(tx, resource, Purpose.READ)
    attribute = resource.type.name_attribute if ask == "name" else "externalId"
    sent = resource.sent_name or names.before_held(tx, resource) or resource.name
    value = sent if ask == "name" else resource.external_id
    request = reads.find(resource.type, attribute, value or "")
    attempt = attempting.begin(tx, resource.id, resource.last_change, Purpose.LOOKUP, request)
    return Claim(
        attempt,
        resource.id,
        resource.type,
        Purpose.LOOKUP,
        request,
        resource.last_change,
        asked=(attribute, value or ""),
    )


def _read_back(tx: Transaction, resource: ResourceRow, purpose: Purpose) -> Claim:
    request = reads.by_id(resource.type, resource.target_id or "")
    attempt = attempting.begin(tx, resource.id, resource.last_change, purpose, request)
    return Claim(attempt, resource.id, resource.type, purpose, request, resource.last_change)


def _verification(tx: Transaction) -> Claim | None:
    """The oldest due check of what an ambiguous attempt left behind (K2), in an idle slot."""
    while found := tx.one(
        "SELECT v.resource, r.target_id IS NOT NULL FROM verification v"
        " LEFT JOIN lane l ON l.resource = v.resource LEFT JOIN resource r ON r.id = v.resource"
        " WHERE v.due <= ? AND ifnull(l.state, '') <> 'sending' ORDER BY v.due LIMIT 1",
        (tx.now,),
    ):
        row, bound = found
        if bound:
            return _verify(tx, row)
        # There is nothing to be read of what TFE does not have.
        tx.run("DELETE FROM verification WHERE resource = ?", (row,))
    return None


def _verify(tx: Transaction, row: int) -> Claim | None:
    """Read back what TFE has; it stays due until that succeeds, and is asked again later."""
    tx.run("UPDATE verification SET due = ? WHERE resource = ?", (tx.now + VERIFY_AGAIN_S, row))
    with _charged(row):
        return _read_back(tx, rows.by_row(tx, row), Purpose.VERIFY)
