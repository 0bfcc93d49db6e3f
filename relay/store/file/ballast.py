"""Room kept inside the file, so that a full disk cannot stop what is already accepted (A7).

A table holds some pages of nothing. When SQLite says that the disk is full they are given up:
delivery records its results in them while identity providers are answered 503. They are taken
again once there is room for more than them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from relay.store.file.engine import Connection
    from relay.store.file.transaction import Transaction

BALLAST_BYTES: Final = 1_048_576
"""The results of some thousand requests to TFE: minutes of delivery at 10 a second."""
AGAIN_FACTOR: Final = 3
"""Taken again when there is room for it so many times over, so that it does not come and go."""


def take(tx: Transaction) -> bool:
    """Take the ballast in if there is room; whether it is there."""
    if tx.one("SELECT 1 FROM ballast LIMIT 1") is not None:
        return True
    pages = BALLAST_BYTES // int(tx.value("PRAGMA page_size"))
    used, limit = tx.value("PRAGMA page_count"), tx.value("PRAGMA max_page_count")
    if limit - used + tx.value("PRAGMA freelist_count") < AGAIN_FACTOR * pages:
        return False
    tx.run("INSERT INTO ballast (filler) VALUES (zeroblob(?))", (BALLAST_BYTES,))
    return True


def try_out(tx: Transaction) -> bool:
    """Write something, so that a disk that takes nothing fails; whether the ballast is there."""
    tx.run(
        "INSERT INTO meta (key, value) VALUES ('disk_tried', ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (str(tx.now),),
    )
    return take(tx)


def give_up(connection: Connection) -> None:
    """Free its pages, outside of any transaction; its deletion writes next to nothing."""
    connection.execute("DELETE FROM ballast")
