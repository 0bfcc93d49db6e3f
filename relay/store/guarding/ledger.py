"""The guard's ledger: what each connection took away in the window, and what it may (H3).

A row for each destructive effect that an IdP caused. It goes when the effect is undone, counts
nothing once it left the window, and triggers keep the sums, so that asking costs two look-ups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relay.rules.effects import Key
from relay.rules.guard import Budget, GuardPolicy, Loss, loss_of
from relay.rules.types import Kind
from relay.store.file.transaction import Transaction, from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relay.store.state.rows import ResourceRow

POLICY_NOTE: Final = "guard policy"
"""The operator's policy, kept in the file: every transaction decides by the same one."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The part of `GuardPolicy` that budgets need."""

    window_s: float
    budgets: dict[Loss, Budget]
    max_emptied: int


def configure(tx: Transaction, policy: GuardPolicy) -> None:
    """Take the operator's policy over, and forget what the last process counted and has sent."""
    note = {
        "window_s": policy.window_s,
        "budgets": {
            loss.value: [budget.count, budget.share]
            for loss, budget in policy.budgets.items()
            if not budget.off
        },
        "max_emptied": policy.max_emptied,
    }
    tx.run("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (POLICY_NOTE, to_json(note)))
    tx.run("UPDATE spent SET allowed = -1")
    tx.run(
        "DELETE FROM revocation WHERE weight = 0 AND NOT EXISTS (SELECT 1 FROM effect e"
        " WHERE e.resource = revocation.resource AND e.key IN (revocation.key, 0))"
    )


def policy(tx: Transaction) -> Policy:
    """The policy that stands; one that stops nothing if none was ever given."""
    note = from_json(tx.value("SELECT value FROM meta WHERE key = ?", (POLICY_NOTE,)))
    if note is None:
        return Policy(3600.0, {}, 0)
    budgets = {Loss(loss): Budget(*budget) for loss, budget in note["budgets"].items()}
    return Policy(note["window_s"], budgets, note["max_emptied"])


def unreviewed(tx: Transaction, resource: ResourceRow) -> list[tuple[int, int]]:
    """Open effects that take away what TFE has, or may have, and that no row counts yet.

    Returns:
        `(key, the last change that wrote it)`.
    """
    found = tx.all(
        "SELECT e.key, e.last, m.confirmed FROM effect e INDEXED BY effect_state"
        " LEFT JOIN member m ON m.group_id = e.resource AND m.user_id = e.key"
        " WHERE e.resource = ? AND e.state = 'open' AND e.revokes = 1 AND NOT EXISTS"
        " (SELECT 1 FROM revocation r WHERE r.resource = e.resource AND r.key = e.key"
        " AND r.change >= e.first)",
        (resource.id,),
    )
    return [
        (key, change) for key, change, confirmed in found if _takes_away(resource, key, confirmed)
    ]


def carry_over(tx: Transaction, resource: int, opened: Iterable[int]) -> None:
    """What was written down of losses that opened again stands for them as they are now."""
    tx.each(
        "UPDATE revocation SET change = e.last FROM effect e WHERE revocation.resource = ?"
        " AND revocation.key = ? AND e.resource = revocation.resource AND e.key = revocation.key"
        " AND e.revokes = 1",
        [(resource, key) for key in opened],
    )


def forget_done(tx: Transaction, resource: int) -> None:
    """What was approved and is done is no approval of anything later."""
    tx.run(
        "DELETE FROM revocation WHERE resource = ? AND approved = 1 AND NOT EXISTS (SELECT 1"
        " FROM effect e WHERE e.resource = revocation.resource AND e.key = revocation.key)",
        (resource,),
    )


def inherit(tx: Transaction, old: int, new: int) -> None:
    """What was written down of one resource stands for the one that it was merged with."""
    tx.run("DELETE FROM revocation WHERE resource = ?", (new,))
    tx.run("UPDATE revocation SET resource = ? WHERE resource = ?", (new, old))


def inherit_membership(tx: Transaction, group: int, old: int, new: int) -> None:
    """As `inherit`, of one membership of a user who was merged with another."""
    strike_out(tx, group, [new])
    tx.run("UPDATE revocation SET key = ? WHERE resource = ? AND key = ?", (new, group, old))


def undecided(tx: Transaction, resource: int) -> list[tuple[int, str]]:
    """Open losses that were written down, certainly not sent, and that no operator has approved.

    Returns:
        `(key, the connection that is charged)`.
    """
    return tx.all(
        "SELECT DISTINCT e.key, r.connection FROM effect e INDEXED BY effect_state"
        " JOIN revocation r ON r.resource = e.resource AND r.key = e.key"
        " LEFT JOIN member m ON m.group_id = e.resource AND m.user_id = e.key"
        " WHERE e.resource = ? AND e.state = 'open' AND e.revokes = 1 AND e.unknown = 0"
        " AND ifnull(m.confirmed, 0) <> 2 AND r.approved = 0",
        (resource,),
    )


def _takes_away(resource: ResourceRow, key: int, confirmed: int | None) -> bool:
    """Whether TFE has what the effect takes; a repeated revocation (K3) takes nothing."""
    if key > 0:
        return bool(confirmed)
    return bool(resource.c_exists) and (key == Key.EXISTS or resource.c_active != 0)


def enter(
    tx: Transaction, resource: ResourceRow, lost: Iterable[tuple[int, int]], connection: str
) -> frozenset[Loss]:
    """Write losses down; the budgets they count against."""
    rows = []
    for key, change in lost:
        loss = loss_of(key)
        assert loss is not None, "nothing else revokes"
        rows.append((resource.id, key, loss.value, connection, change, tx.now, 1))
        if key == Key.EXISTS and resource.type is Kind.GROUP and resource.c_size > 0:
            size = resource.c_size  # deleting a group takes each of its memberships
            members = Loss.REMOVALS.value
            rows.append((resource.id, key, members, connection, change, tx.now, size))
    strike_out(tx, resource.id, {row[1] for row in rows})
    tx.each(
        "INSERT INTO revocation (resource, key, loss, connection, change, at, weight)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
    return frozenset(Loss(row[2]) for row in rows)


def strike_out(tx: Transaction, resource: int, keys: Iterable[int]) -> None:
    """Count losses no longer: they were rejected, or are entered anew."""
    tx.each(
        "DELETE FROM revocation WHERE resource = ? AND key = ?", [(resource, key) for key in keys]
    )


def give_back(tx: Transaction, resource: ResourceRow) -> None:
    """Strike out what the IdP wants again: what counts is net (H3)."""
    tx.run(
        "DELETE FROM revocation WHERE resource = ?1 AND (key = ?2 AND ?3 OR key > 0 AND EXISTS"
        " (SELECT 1 FROM member m WHERE m.group_id = ?1 AND m.user_id = key AND m.desired = 1))",
        (resource.id, int(Key.ACTIVE), bool(resource.active)),
    )


def approve(tx: Transaction, resource: int, key: int, change: int, connection: str) -> None:
    """An operator let a loss through: it counts no longer and is not held again.

    What was held as protected was never counted: it is written down now, and counts nothing.
    """
    loss = loss_of(key)
    assert loss is not None, "nothing else revokes"
    tx.run(
        "INSERT OR IGNORE INTO revocation (resource, key, loss, connection, change, at, weight)"
        " VALUES (?, ?, ?, ?, ?, ?, 0)",
        (resource, key, loss.value, connection, change, tx.now),
    )
    tx.run(
        "UPDATE revocation SET weight = 0, approved = 1, change = max(change, ?)"
        " WHERE resource = ? AND key = ?",
        (change, resource, key),
    )


def approved(tx: Transaction, resource: int) -> set[int]:
    """The keys whose loss an operator has let through."""
    found = tx.all("SELECT key FROM revocation WHERE resource = ? AND approved = 1", (resource,))
    return {key for (key,) in found}


def overdrawn(tx: Transaction, connection: str, losses: Iterable[Loss]) -> str | None:
    """The sentence that says which budget a connection has overdrawn, or None."""
    standing = policy(tx)
    for loss in sorted(losses):
        budget = standing.budgets.get(loss)
        if budget is None:
            continue
        _expire(tx, connection, loss, tx.now - standing.window_s)
        total, allowed, allowed_at = tx.one(
            "SELECT total, allowed, allowed_at FROM spent WHERE connection = ? AND loss = ?",
            (connection, loss.value),
        )
        if total > allowed or tx.now - allowed_at > standing.window_s:
            allowed = _allow(tx, connection, loss, budget, total)
        if total > allowed:
            minutes = standing.window_s / 60
            return f"{total} {loss.value} in {minutes:g} minutes where {allowed} pass"
    return None


def _expire(tx: Transaction, connection: str, loss: Loss, before: float) -> None:
    """Count no longer what left the window; forget it once it was delivered."""
    where = " FROM revocation WHERE connection = ? AND loss = ? AND weight > 0 AND at <= ?"
    values = (connection, loss.value, before)
    if tx.one(f"SELECT 1{where} LIMIT 1", values) is None:
        return
    tx.run(
        f"DELETE{where} AND NOT EXISTS (SELECT 1 FROM effect e"
        " WHERE e.resource = revocation.resource AND e.key IN (revocation.key, 0))",
        values,
    )
    tx.run(f"UPDATE revocation SET weight = 0{where.removeprefix(' FROM revocation')}", values)


POPULATION: Final = {
    Loss.DEACTIVATIONS: "SELECT count(*) FROM resource"
    " WHERE kind = 'User' AND state = 'live' AND part_of IS NULL AND active = 1",
    Loss.DELETIONS: "SELECT count(*) FROM resource"
    " WHERE kind IN ('User', 'Group') AND state = 'live' AND part_of IS NULL",
    Loss.REMOVALS: "SELECT ifnull(sum(size), 0) FROM resource"
    " WHERE kind = 'Group' AND state = 'live' AND part_of IS NULL",
}


def _allow(tx: Transaction, connection: str, loss: Loss, budget: Budget, total: int) -> int:
    """What passes now: a share is of what there was before the window's losses."""
    there = 0 if budget.count is not None else tx.value(POPULATION[loss]) + total
    allowed = budget.allowed(there)
    tx.run(
        "UPDATE spent SET allowed = ?, allowed_at = ? WHERE connection = ? AND loss = ?",
        (allowed, tx.now, connection, loss.value),
    )
    return allowed
