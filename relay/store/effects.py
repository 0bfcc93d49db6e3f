"""Effect rows: opened by accepting, closed by settling, and by nothing else.

An effect is there exactly while a key's desired and confirmed values differ, or may differ. A
change is delivered when no effect it wrote is open up to it (semantics S6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from relay.rules.effects import KEY_OF, EffectState, Key
from relay.rules.types import Field
from relay.store.records import ChangeState
from relay.store.transaction import Transaction, from_json, to_json


@dataclass(slots=True)
class Effect:
    """A row of `effect`."""

    key: int
    first: int
    last: int
    base: str | None
    revokes: int
    state: str
    unknown: int
    slice: int
    due: float
    refusals: int


COLUMNS = "key, first, last, base, revokes, state, unknown, slice, due, refusals"


def find(tx: Transaction, resource: int, key: int) -> Effect | None:
    """The effect on one key, parked notes included."""
    row = tx.one(f"SELECT {COLUMNS} FROM effect WHERE resource = ? AND key = ?", (resource, key))
    return None if row is None else Effect(*row)


def unsettled(tx: Transaction, resource: int) -> list[Effect]:
    """All effects of a resource that are not mere notes of what was parked."""
    rows = tx.all(
        f"SELECT {COLUMNS} FROM effect WHERE resource = ? AND state <> 'parked'", (resource,)
    )
    return [Effect(*row) for row in rows]


def write(
    tx: Transaction,
    resource: int,
    key: int,
    change: int,
    *,
    base: object,
    revokes: bool,
    state: EffectState = EffectState.OPEN,
    unknown: bool = False,
) -> None:
    """Note that `change` wrote `key` and TFE does not have it yet.

    A key written again keeps its first change and its base; a parked note gives way. What the
    guard holds stays held for as long as it takes the same thing away.
    """
    tx.run(
        "INSERT INTO effect (resource, key, first, last, base, revokes, state, unknown, opened)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (resource, key) DO UPDATE SET"
        " first = iif(state = 'parked', excluded.first, first),"
        " base = iif(state = 'parked', excluded.base, base),"
        " opened = iif(state = 'parked' OR revokes <> excluded.revokes, excluded.opened, opened),"
        " unknown = iif(state = 'parked', excluded.unknown, max(unknown, excluded.unknown)),"
        " state = iif(state = 'held' AND revokes = excluded.revokes, 'held', excluded.state),"
        " held_by = iif(revokes = excluded.revokes, held_by, NULL),"
        " last = excluded.last, revokes = excluded.revokes, refusals = 0, reason = NULL",
        (resource, key, change, change, to_json(base), revokes, state.value, unknown, tx.now),
    )


def close(tx: Transaction, resource: int, key: int) -> bool:
    """Remove an effect whose key is where it should be; False when there was none."""
    return bool(
        tx.run(
            "DELETE FROM effect WHERE resource = ? AND key = ? AND state <> 'parked'",
            (resource, key),
        )
    )


def discard(tx: Transaction, resource: int, key: int) -> None:
    """Remove an effect that is not to be sent after all."""
    tx.run("DELETE FROM effect WHERE resource = ? AND key = ?", (resource, key))


def keys_written(writes: dict[str, Any]) -> set[int]:
    """The keys that a change's `writes` names; a creation's fields are its existence."""
    keys = set(writes.get("+", ())) | set(writes.get("-", ()))
    if "exists" in writes:
        keys.add(Key.EXISTS)
        if writes["exists"]:
            return keys
    keys.update(KEY_OF[Field(name)] for name in writes.get("f", ()))
    return keys


def settle_changes(tx: Transaction, resource: int) -> list[int]:
    """Mark as delivered every pending change of which no effect is open; their ids."""
    still = {effect.key: effect.first for effect in unsettled(tx, resource)}
    done = []
    for change, writes in tx.all(
        "SELECT id, writes FROM change WHERE resource = ? AND state = 'pending' ORDER BY id",
        (resource,),
    ):
        if not still or not any(
            still.get(key, change + 1) <= change for key in keys_written(from_json(writes))
        ):
            done.append(change)
    deliver(tx, done)
    return done


def written_by(tx: Transaction, resource: int, change: int) -> bool:
    """Whether the newest change of a resource wrote anything that is still open."""
    return (
        tx.one(
            "SELECT 1 FROM effect WHERE resource = ? AND state <> 'parked' AND last >= ? LIMIT 1",
            (resource, change),
        )
        is not None
    )


def deliver(tx: Transaction, changes: list[int]) -> None:
    """Mark changes as delivered."""
    if not changes:
        return
    tx.each(
        "UPDATE change SET state = 'delivered', settled_at = ? WHERE id = ?",
        [(tx.now, change) for change in changes],
    )
    move(tx, ChangeState.DELIVERED, len(changes))


def move(tx: Transaction, to: ChangeState, by: int = 1) -> None:
    """Move the conservation counters from pending to an end."""
    tx.count("pending", by=-by)
    tx.count(to.value, by=by)
    tx.outbox.counted += [("changes", to.value)] * by
