"""An attempt's row and its marks: unknown before the first byte, put back if no byte had an effect.

Carries D1 (the row is on disk before the first byte) and K1 (every key it touches is unknown until
there is a definite answer).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.store.deliver.parking import own_keys
from relay.store.file.transaction import to_json
from relay.store.state import lanes, rosters, rows
from relay.store.state.claims import UNKNOWN, Before, Claim, Purpose
from relay.store.state.finishing import Sending

if TYPE_CHECKING:
    from relay.rules.planner_types import Request
    from relay.store.file.transaction import Transaction
    from relay.store.state.rows import ResourceRow


def mark_unknown(
    tx: Transaction,
    resource: ResourceRow,
    request: Request,
    adds: tuple[tuple[int, str], ...],
    removes: tuple[tuple[int, str], ...],
) -> Before:
    """Mark every key the request touches as unknown, before its first byte (K1)."""
    fields = []
    for key in own_keys(request):
        unknown = tx.value(
            "SELECT unknown FROM effect WHERE resource = ? AND key = ?", (resource.id, key)
        )
        if unknown is not None:
            fields.append((key, unknown))
    tx.each(
        "UPDATE effect SET unknown = 1 WHERE resource = ? AND key = ?",
        [(resource.id, key) for key, _ in fields],
    )
    users = [user for user, _ in (*adds, *removes)]
    return Before(tuple(fields), _mark_members(tx, resource.id, users))


def _mark_members(tx: Transaction, group: int, users: list[int]) -> tuple[tuple[int, int], ...]:
    members = tuple((user, rosters.state(tx, group, user)[1]) for user in users)
    tx.each(
        "UPDATE member SET confirmed = 2 WHERE group_id = ? AND user_id = ?",
        [(group, user) for user in users],
    )
    fresh = sum(1 for _, confirmed in members if confirmed == 0)
    if fresh:
        tx.run("UPDATE resource SET c_size = c_size + ? WHERE id = ?", (fresh, group))
    return members


def begin(
    tx: Transaction,
    resource: int,
    through: int,
    purpose: Purpose,
    request: Request,
    keys: tuple[int, ...] = (),
    why: str | None = None,
) -> int:
    """Insert the attempt's row and mark its lane; the attempt's id.

    A verification has a lane for as long as it is under way, so that nothing else of its resource
    is sent beside it (K1: one attempt in flight per lane). `keys` are the effects that a write
    brings over: all that is known of it if the relay dies before its result is recorded. `why` is
    the planner's reason for it.
    """
    tx.run(
        "INSERT INTO lane (resource, state, urgency, first, since, touched)"
        " VALUES (?1, 'sending', 1, ?2, ?3, ?3)"
        " ON CONFLICT (resource) DO UPDATE SET state = 'sending'",
        (resource, through, tx.now),
    )
    tx.count("requests")
    return tx.insert(
        "INSERT INTO attempt (resource, through, purpose, method, path, claimed_at, keys, why)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            resource,
            through,
            purpose.value,
            request.method,
            request.path,
            tx.now,
            to_json(keys) if keys else None,
            why,
        ),
    )


def finish_attempt(
    tx: Transaction,
    claimed: Claim,
    verdict: str,
    status: int | None,
    detail: str | None,
    slot_at: float | None = None,
) -> None:
    """Record an attempt's result; what ends in this transaction, ends by it."""
    attempt = tx.all(
        "UPDATE attempt SET settled_at = ?, verdict = ?, status = ?, detail = ? WHERE id = ?"
        " RETURNING claimed_at",
        (tx.now, verdict, status, detail, claimed.attempt),
    )
    for (claimed_at,) in attempt:
        tx.sending = Sending(claimed_at, slot_at)
    tx.outbox.counted.append(("attempts", verdict))


def restore(tx: Transaction, claimed: Claim) -> None:
    """Put back what was known before an attempt that certainly had no effect."""
    tx.each(
        "UPDATE effect SET unknown = ? WHERE resource = ? AND key = ?",
        [(unknown, claimed.resource, key) for key, unknown in claimed.before.fields],
    )
    put_back = [
        old
        for user, old in claimed.before.members
        if old != UNKNOWN and _put_back(tx, claimed.resource, user, old)
    ]
    if fresh := put_back.count(0):
        tx.run("UPDATE resource SET c_size = c_size - ? WHERE id = ?", (fresh, claimed.resource))
    if claimed.purpose is Purpose.WRITE:
        # An earlier attempt may have brought a name that this one did not touch.
        tx.run(
            "UPDATE resource SET sent_name = NULL, sent_name_key = NULL WHERE id = ?1"
            " AND NOT EXISTS (SELECT 1 FROM effect WHERE resource = ?1 AND key IN (0, -1)"
            " AND unknown = 1)",
            (claimed.resource,),
        )


def _put_back(tx: Transaction, group: int, user: int, confirmed: int) -> bool:
    """Put one membership back; False if it is gone, with its user, and counted out already."""
    return bool(
        tx.run(
            "UPDATE member SET confirmed = ? WHERE group_id = ? AND user_id = ? AND confirmed = 2",
            (confirmed, group, user),
        )
    )


def release(tx: Transaction, claimed: Claim) -> None:
    """Give a claim back that was never sent: no byte left, nothing is in doubt (H1)."""
    finish_attempt(tx, claimed, "not sent", None, None)
    restore(tx, claimed)
    free_lane(tx, claimed.resource)


def free_lane(tx: Transaction, resource: int) -> None:
    """End a lane's `sending` and decide its state anew."""
    tx.run("UPDATE lane SET state = 'resting' WHERE resource = ?", (resource,))
    lanes.refresh(tx, rows.by_row(tx, resource))
