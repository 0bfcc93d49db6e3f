"""The audit log's history ends, too: words first if they are to, then whole entries.

Entries go from the beginning on, and the last of them leaves its number and hash behind: the chain
begins there from then on. A batch at a time, as with other history (relay.store.operate.pruning).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.store.file import audit_log
from relay.store.file.transaction import to_json

if TYPE_CHECKING:
    from relay.store.file.transaction import Transaction

ROWS: Final = 500
"""Entries that one transaction lets go."""
HISTORY: Final = "audit history"
WORDS: Final = "audit personal history"
"""How far each has come in time, in `meta` (`pruning.horizon`)."""
FORGOTTEN: Final = "audit forgotten"
"""The last entry whose words went by their age, in `meta`."""


def prune(tx: Transaction, before: float) -> tuple[int, bool]:
    """Let the next batch of entries written before then go; how many, and whether all went."""
    start = audit_log.anchor(tx.connection).number
    last, done = _old(tx, start, before)
    if last is None:
        return 0, True
    hashed = tx.value("SELECT hash FROM audit WHERE id = ?", (last,))
    _note(tx, audit_log.ANCHOR, to_json({"number": last, "hash": hashed.hex()}))
    return tx.run("DELETE FROM audit WHERE id <= ?", (last,)), done


def forget(tx: Transaction, before: float) -> tuple[int, bool]:
    """Forget the words of the next batch of entries; how many, and whether all are forgotten."""
    start = int(tx.value("SELECT value FROM meta WHERE key = ?", (FORGOTTEN,)) or 0)
    last, done = _old(tx, start, before)
    if last is None:
        return 0, True
    _note(tx, FORGOTTEN, str(last))
    forgotten = tx.run(
        "UPDATE audit SET detail = NULL, salt = NULL WHERE id > ? AND id <= ?"
        " AND detail IS NOT NULL",
        (start, last),
    )
    return forgotten, done


def _old(tx: Transaction, after: int, before: float) -> tuple[int | None, bool]:
    """The last entry of the next batch that is old enough, and whether none follows it.

    Entries are in the order of time, but for those from a time when the clock was ahead: they go
    with their neighbours.
    """
    found = tx.all("SELECT id, at FROM audit WHERE id > ? ORDER BY id LIMIT ?", (after, ROWS))
    last = None
    for number, at in found:
        if before <= at <= tx.now:
            return last, True
        if at < before:
            last = number
    return last, len(found) < ROWS


def _note(tx: Transaction, key: str, value: str) -> None:
    tx.run("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))
