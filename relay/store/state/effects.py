"""Effect rows: opened by accepting, closed by settling, and by nothing else.

An effect is there exactly while a key's desired and confirmed values differ, or may differ. A
change is delivered when no effect it wrote is open up to it (semantics S6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from relay.rules.effects import KEY_OF, EffectState, Key
from relay.rules.types import Field
from relay.store.file.transaction import Transaction, from_json, to_json
from relay.store.state import finishing
from relay.store.state.records import ChangeState

if TYPE_CHECKING:
    from collections.abc import Iterable


Span = tuple[int, int]
"""The first and the last change that wrote a key since TFE last had it as desired."""
LAST: Final = (1 << 63) - 1
"""No change has a greater id."""


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


def connection_of(tx: Transaction, change: int) -> str:
    """Who is charged for what follows from a change (K4); the relay, where it was pruned."""
    found: str | None = tx.value("SELECT connection FROM change WHERE id = ?", (change,))
    return found or "relay"


def is_unsettled(tx: Transaction, resource: int, key: int) -> bool:
    """Whether there is an effect on a key that is no mere note of what was parked."""
    effect = find(tx, resource, key)
    return effect is not None and effect.state != EffectState.PARKED


def unsettled(tx: Transaction, resource: int) -> list[Effect]:
    """All effects of a resource that are not mere notes of what was parked."""
    rows = tx.all(
        f"SELECT {COLUMNS} FROM effect WHERE resource = ? AND state <> 'parked'", (resource,)
    )
    return [Effect(*row) for row in rows]


def written_since(tx: Transaction, resource: int, change: int) -> list[int]:
    """The keys that a change, or one after it, wrote last and that are not held yet."""
    found = tx.all(
        "SELECT key FROM effect WHERE resource = ? AND last >= ? AND state IN ('open', 'waiting')",
        (resource, change),
    )
    return [key for (key,) in found]


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


def close(tx: Transaction, resource: int, key: int) -> Span | None:
    """Remove an effect whose key is where it should be; which changes wrote it, if it was there."""
    closed: list[Span] = tx.all(
        "DELETE FROM effect WHERE resource = ? AND key = ? AND state <> 'parked'"
        " RETURNING first, last",
        (resource, key),
    )
    return closed[0] if closed else None


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


def settle_changes(
    tx: Transaction, resource: int, closed: Iterable[Span | None] | None = None
) -> list[int]:
    """Mark as delivered every pending change of which no effect is open; their ids.

    Args:
        tx: the transaction.
        resource: whose changes.
        closed: what `close` returned: only changes in these spans are looked at, so that the cost
            does not grow with what else is pending in the lane. None: all are.
    """
    done = [
        change
        for change, keys in _pending(tx, resource, closed)
        if not _any_open(tx, resource, change, keys)
    ]
    deliver(tx, resource, done)
    return done


def _pending(
    tx: Transaction, resource: int, closed: Iterable[Span | None] | None
) -> list[tuple[int, set[int]]]:
    """Pending changes with the keys they wrote, oldest first."""
    spans = [(0, LAST)] if closed is None else _merged(span for span in closed if span is not None)
    return [
        (change, keys_written(from_json(writes)))
        for span in spans
        for change, writes in tx.all(
            "SELECT id, writes FROM change WHERE resource = ? AND state = 'pending'"
            " AND id BETWEEN ? AND ? ORDER BY id",
            (resource, *span),
        )
    ]


def _merged(spans: Iterable[Span]) -> list[Span]:
    """The same spans without overlap, in order."""
    merged: list[Span] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _any_open(tx: Transaction, resource: int, change: int, keys: set[int]) -> bool:
    """Whether TFE still lacks one of the keys as this change, or one before it, wrote it.

    An effect that ends before this change, although this change wrote its key, is what an operator
    returned it to: this change does not wait for that.
    """
    return (
        tx.one(
            "SELECT 1 FROM json_each(?1) AS wrote CROSS JOIN effect ON effect.resource = ?2"
            " AND effect.key = wrote.value AND effect.first <= ?3 AND effect.last >= ?3"
            " AND effect.state <> 'parked' LIMIT 1",
            (to_json(sorted(keys)), resource, change),
        )
        is not None
    )


def is_open(tx: Transaction, resource: int, change: int) -> bool:
    """Whether TFE still lacks anything of what a change wrote (S6)."""
    writes = from_json(tx.value("SELECT writes FROM change WHERE id = ?", (change,)))
    return _any_open(tx, resource, change, keys_written(writes))


_DELIVER: Final = (
    f"UPDATE change SET state = 'delivered', settled_at = ? WHERE id = ? {finishing.RETURNING}"
)


def deliver(tx: Transaction, resource: int, changes: list[int]) -> None:
    """Mark changes of a resource as delivered; folded ones make one entry of the audit log."""
    if not changes:
        return
    for change in changes:
        finishing.tell(tx, tx.all(_DELIVER, (tx.now, change)))
    move(tx, ChangeState.DELIVERED, len(changes))
    tx.audit(
        ChangeState.DELIVERED.value,
        "relay",
        change=changes[-1],
        resource=resource,
        what={"changes": [list(span) for span in _runs(changes)]},
    )


def _runs(changes: Iterable[int]) -> list[Span]:
    """Numbers as spans: a thousand changes in a row are told as one."""
    runs: list[Span] = []
    for change in sorted(changes):
        if runs and change == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], change)
        else:
            runs.append((change, change))
    return runs


def move(tx: Transaction, to: ChangeState, by: int = 1) -> None:
    """Move the conservation counters from pending to an end."""
    tx.count("pending", by=-by)
    tx.count(to.value, by=by)
    tx.outbox.counted += [("changes", to.value)] * by
