"""Writes the file anew from what is in it, so that nothing that was deleted is left in its bytes.

Deleting alone leaves bytes behind: in free pages, in the gaps of pages that were split before, and
in the log. `secure_delete` does not reach the copies that splits left. A plain VACUUM does, but
this SQLite is built to keep its temporary database in memory whatever it is told
(`SQLITE_TEMP_STORE=3`): as much memory as the file is large. So the new content is made in a file
beside the database, where there is room for it, and taken over from there in one transaction.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from relay.errors import Unavailable
from relay.store.file import half_copies
from relay.store.file.engine import open_plain

if TYPE_CHECKING:
    from relay.store.file.engine import Connection

_PRIMARY: Final = 0xFF
_WAITS: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
ROOM: Final = 2
"""Times the size of the file: the new one, and the log that takes it over."""


def write_anew(connection: Connection) -> None:
    """Write the file of a connection anew; its log has all of it until it is checkpointed.

    Args:
        connection: the writer's, outside of any transaction.

    Raises:
        Unavailable: the disk has no room for it, or does not take it.
    """
    _, _, path = connection.execute("PRAGMA database_list").fetchone()
    beside = Path(path + half_copies.ANEW)
    try:
        _begin(beside, ROOM * Path(path).stat().st_size)
    except OSError as error:
        raise Unavailable(f"cannot write {beside}: {error.strerror}", retry_after_s=60) from error
    try:
        connection.execute("VACUUM INTO ?", (str(beside),))
        with closing(open_plain(beside)) as made:
            made.backup(connection, progress=_refuse_to_wait)
    finally:
        half_copies.remove(beside)


def _refuse_to_wait(status: int, _remaining: int, _total: int) -> None:
    """Called after each step: `backup` itself would try again for as long as it takes."""
    if status & _PRIMARY in _WAITS:
        raise Unavailable("another program writes the database; end it", retry_after_s=60)


def _begin(beside: Path, room: int) -> None:
    """An empty file, unless the disk would be full before it is written."""
    half_copies.remove(beside)
    if shutil.disk_usage(beside.parent).free < room:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    half_copies.fresh(beside)
