"""Copies of the database that are being written: none outlives a death half made.

Each is noted before its first byte. A death leaves it, everybody in it, under a name that nobody
looks for; the next start takes it away. So it does with what a rewriting left (`rewriting`).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from relay.store.file.transaction import Transaction

ANEW: Final = ".anew"
"""Ending of the file beside the database while it is written anew."""
HALF: Final = ".part"
"""Ending of a copy until it is whole."""
NOTE: Final = "half copy "
"""In `meta`, with its path behind it."""
FORGET: Final = f"DELETE FROM meta WHERE key LIKE '{NOTE}%'"
"""For the copy itself, which knows nothing of half ones."""


def half_of(copy: Path) -> Path:
    """Where a copy stands until it is whole."""
    return copy.with_name(copy.name + HALF)


def fresh(half: Path) -> None:
    """An empty file of mode 0600 for a copy; what another try has left is never taken for its own.

    Raises:
        OSError: it cannot be made there.
    """
    remove(half)
    os.close(os.open(half, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def remove(half: Path) -> None:
    """Remove half a copy, and what SQLite put beside it."""
    for ending in ("", "-journal", "-wal", "-shm"):
        half.with_name(half.name + ending).unlink(missing_ok=True)


def begin(tx: Transaction, copy: Path) -> None:
    """Note a copy that is about to be made."""
    tx.run("INSERT OR REPLACE INTO meta (key, value) VALUES (?, '')", (f"{NOTE}{half_of(copy)}",))


def end(tx: Transaction, copy: Path) -> None:
    """It is whole, or was given up."""
    tx.run("DELETE FROM meta WHERE key = ?", (f"{NOTE}{half_of(copy)}",))


def take_away(tx: Transaction) -> None:
    """At a start: remove what a death left; what cannot be removed is tried at the next one."""
    _, _, database = tx.one("PRAGMA database_list")
    with suppress(OSError):
        remove(Path(database + ANEW))
    for (key,) in tx.all(f"SELECT key FROM meta WHERE key LIKE '{NOTE}%'"):
        with suppress(OSError):
            remove(Path(key.removeprefix(NOTE)))
            tx.run("DELETE FROM meta WHERE key = ?", (key,))
