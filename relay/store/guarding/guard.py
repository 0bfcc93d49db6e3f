"""The guard: what takes too much away, or touches the protected, waits for an operator (H3).

It reviews the effects a transaction has just opened, in that transaction. What it holds is an
effect's state: everything else of the same change flows, and the IdP is answered as usual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.rules.effects import KEY_OF, Key
from relay.store.file.transaction import Transaction, from_json
from relay.store.guarding import ledger, protecting
from relay.store.state import effects, lanes, names, rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relay.rules.guard import GuardPolicy
    from relay.rules.types import Field
    from relay.store.edits.incoming import Accepting
    from relay.store.state.rows import ResourceRow

BUDGET: Final = "budget"
EMPTIED: Final = "emptied group"
PROTECTED: Final = "protected"


def configure(tx: Transaction, policy: GuardPolicy) -> None:
    """Take the operator's policy over; what is held stays held."""
    ledger.configure(tx, policy)
    protecting.configure(tx, policy)


def review_creation(tx: Transaction, resource: ResourceRow, change: int) -> bool:
    """Hold the creation of a protected user or group; True if it is held."""
    return _guard_protected(tx, resource, change)


def review(
    tx: Transaction,
    before: ResourceRow,
    resource: ResourceRow,
    change: int,
    request: Accepting,
    emptied: int | None = None,
) -> bool:
    """Hold what an accepted change must not do unasked.

    Args:
        tx: the transaction that opened the change's effects.
        before: its resource before the change.
        resource: its resource now.
        change: the change.
        request: what was accepted.
        emptied: members that the whole group lost, all it had, where this is one part of it.

    Returns:
        Whether anything that this change wrote is held now.
    """
    _forget_rejected(tx, resource.id, change, request.write.written)
    were_held = set(_held_fields(tx, resource.id))
    _guard_protected(tx, resource, change, before.name)
    ledger.give_back(tx, resource)
    if emptied is None:
        emptied = before.size if resource.wanted and not resource.size else 0
    review_losses(tx, resource, request.connection, emptied=emptied)
    end_trips(tx)
    _note_since(tx, resource.id, change, set(_held_fields(tx, resource.id)) - were_held)
    held = tx.one(
        "SELECT 1 FROM effect INDEXED BY effect_state"
        " WHERE resource = ? AND state = 'held' AND last >= ? LIMIT 1",
        (resource.id, change),
    )
    return held is not None


def review_losses(
    tx: Transaction, resource: ResourceRow, connection: str, *, emptied: int = 0
) -> None:
    """Count the losses among the open effects of a resource, and hold what is too much.

    Args:
        tx: the transaction that opened them.
        resource: whose effects.
        connection: who is charged.
        emptied: members the group had before one request took all of them.
    """
    lost = ledger.unreviewed(tx, resource)
    if not lost:
        return
    keys = [key for key, _ in lost]
    losses = ledger.enter(tx, resource, lost, connection)
    limit = ledger.policy(tx).max_emptied
    if limit and emptied > limit:
        hold(tx, resource.id, keys, f"{EMPTIED} of {emptied} members")
    if _tripped(tx, connection):
        hold(tx, resource.id, keys, f"{BUDGET} of {connection}")
    elif reason := ledger.overdrawn(tx, connection, losses):
        _trip(tx, connection, reason)


def review_opened(
    tx: Transaction, resource: ResourceRow, connection: str, opened: Iterable[int]
) -> None:
    """Hold what the relay opened by itself, comparing, as if somebody had written it (K4).

    An operator has let go what was open before, or was not asked: that stays as it is.

    Args:
        tx: the transaction that opened it.
        resource: whose effects.
        connection: who is charged.
        opened: the keys that were opened.
    """
    opened = set(opened)
    # What was counted or approved of these keys was another loss: it is over.
    ledger.strike_out(tx, resource.id, opened)
    _guard_opened(tx, resource, opened)
    review_losses(tx, resource, connection, emptied=_emptied(resource))
    end_trips(tx)


def review_kept(
    tx: Transaction, resource: ResourceRow, connection: str, opened: Iterable[int]
) -> None:
    """As `review_opened`, after a DELETE that had put the effects aside was undone.

    What the guard held then is sent no more unasked than before. A loss that was counted is not
    counted anew, nor is one asked about again that was let go.
    """
    opened = set(opened)
    ledger.carry_over(tx, resource.id, opened)
    ledger.give_back(tx, resource)
    _guard_opened(tx, resource, opened - ledger.approved(tx, resource.id))
    for key, charged in ledger.undecided(tx, resource.id):
        if key in opened:
            hold(tx, resource.id, [key], f"{BUDGET} of {charged}")
    review_losses(tx, resource, connection, emptied=_emptied(resource))


def _emptied(resource: ResourceRow) -> int:
    """Members that a group loses if it is to lose all that it has."""
    return resource.c_size if resource.wanted and not resource.size else 0


def _guard_protected(
    tx: Transaction, resource: ResourceRow, change: int, old_name: str | None = None
) -> bool:
    """Hold what a change wrote of the protected; True if it wrote any."""
    name = protecting.protector(tx, resource, old_name)
    if name is not None:
        hold(tx, resource.id, effects.written_since(tx, resource.id, change), _by(name))
        return True
    found = [one for one in protecting.members(tx, resource) if one.last >= change]
    for one in found:
        hold(tx, resource.id, [one.user], _by(one.name))
    return bool(found)


def _guard_opened(tx: Transaction, resource: ResourceRow, opened: set[int]) -> None:
    """Hold what was opened of the protected."""
    name = protecting.protector(tx, resource)
    if name is not None:
        hold(tx, resource.id, opened, _by(name))
        return
    for one in protecting.members(tx, resource):
        if one.user in opened:
            hold(tx, resource.id, [one.user], _by(one.name))


def _by(name: str) -> str:
    return f"{PROTECTED} {name}"


def _forget_rejected(tx: Transaction, resource: int, change: int, named: frozenset[Field]) -> None:
    """The IdP writes a key again: what it says now stands, not what was rejected."""
    if tx.one("SELECT 1 FROM rejected WHERE resource = ? LIMIT 1", (resource,)) is None:
        return
    writes = from_json(tx.value("SELECT writes FROM change WHERE id = ?", (change,)))
    tx.each(
        "DELETE FROM rejected WHERE resource = ? AND key = ?",
        [
            (resource, int(key))
            for key in effects.keys_written(writes) | {KEY_OF[field] for field in named}
        ],
    )


def hold(tx: Transaction, resource: int, keys: Iterable[int], why: str) -> None:
    """Hold effects; the first reason stays."""
    keys = list(keys)
    tx.each(
        "UPDATE effect SET state = 'held', held_by = ?, held_at = ?"
        " WHERE resource = ? AND key = ? AND state IN ('open', 'waiting')",
        [(why, tx.now, resource, key) for key in keys],
    )


def _held_fields(tx: Transaction, resource: int) -> list[int]:
    found = tx.all(
        "SELECT key FROM effect WHERE resource = ? AND key < 0 AND state = 'held'", (resource,)
    )
    return [key for (key,) in found]


def _note_since(tx: Transaction, resource: int, change: int, fresh: set[int]) -> None:
    """Note from which change on a field is held: what was written before it stands.

    So a rejection leaves that, and a creation whose rename is held brings the name that this rename
    leaves: nobody can have taken it yet, and whoever does waits for it (S3).
    """
    for key in fresh:
        noted = (
            "UPDATE effect SET base = json_set(base, '$.held', ?) WHERE resource = ? AND key = ?"
        )
        tx.run(noted, (change, resource, key))
    name = names.before_held(tx, rows.by_row(tx, resource)) if Key.NAME in fresh else None
    if name is not None:
        reserved = "UPDATE resource SET reserved_name_key = ? WHERE id = ?"
        tx.run(reserved, (name.casefold(), resource))


def _tripped(tx: Transaction, connection: str) -> bool:
    return tx.one("SELECT 1 FROM trip WHERE connection = ?", (connection,)) is not None


def _trip(tx: Transaction, connection: str, reason: str) -> None:
    """Hold all unsent losses of a connection, this change's and those before it."""
    tx.run(
        "INSERT INTO trip (connection, since, reason) VALUES (?, ?, ?)",
        (connection, tx.now, reason),
    )
    tx.audit("guard tripped", connection, what={"why": reason})
    tx.outbox.counted.append(("tripped", connection))
    unsent = tx.all(
        "SELECT DISTINCT e.resource, e.key FROM revocation r"
        " JOIN effect e ON e.resource = r.resource AND e.key = r.key"
        " LEFT JOIN member m ON m.group_id = e.resource AND m.user_id = e.key"
        " WHERE r.connection = ? AND r.approved = 0 AND e.state = 'open' AND e.revokes = 1"
        " AND e.unknown = 0 AND ifnull(m.confirmed, 0) <> 2",
        (connection,),
    )
    for resource, key in unsent:
        hold(tx, resource, [key], f"{BUDGET} of {connection}")
    for resource in {resource for resource, _ in unsent}:
        lanes.refresh(tx, rows.by_row(tx, resource))


def end_trips(tx: Transaction) -> None:
    """A trip ends when nothing is held for it any more: decided, or dissolved by the IdP."""
    for (connection,) in tx.all("SELECT connection FROM trip"):
        why = f"{BUDGET} of {connection}"
        if tx.one("SELECT 1 FROM effect WHERE held_by = ? LIMIT 1", (why,)):
            continue
        tx.run("DELETE FROM trip WHERE connection = ?", (connection,))
        tx.audit("guard lifted", "relay", what={"connection": connection})
