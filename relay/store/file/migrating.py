"""Before a newer release changes the schema of a database, a copy of it is kept (L7)."""

from __future__ import annotations

import shutil
from contextlib import closing
from itertools import count
from typing import TYPE_CHECKING, Final

import structlog

from relay.errors import StoreRefused
from relay.store.file import backing_up, engine
from relay.store.file.engine import DatabaseError
from relay.store.file.identity import IDENTITY
from relay.store.file.migrations import names
from relay.telemetry import events

if TYPE_CHECKING:
    from pathlib import Path

log = structlog.get_logger(__name__)

ROOM: Final = 3
"""Times the size of the file that must be free: the copy, the migration's log, and as much again
for delivery."""


def secure(path: Path) -> Path | None:
    """Copy a database that is about to be migrated; where to, or None if it is not.

    The copy is a backup like any other: a relay that is started on it takes the hold `restored`.
    One of an earlier try is kept as it is; one of an earlier upgrade, after which somebody went
    back, is kept beside the new one.

    Raises:
        StoreRefused: there is no room for it.
    """
    step = _next_step(path)
    if step is None:
        return None
    copy = _place(path, f"{path.name}.before-{step}")
    if copy.exists():
        return copy
    size, free = path.stat().st_size, shutil.disk_usage(path.parent).free
    if free < ROOM * size:
        raise StoreRefused(
            f"cannot migrate {path}: a copy is kept before, and {ROOM * size:,} bytes must be free"
            f" for that, not {free:,}; make room, or start the release that wrote it"
        )
    backing_up.copy(path, copy, path.stat().st_mtime)
    log.info(events.STORE_COPIED, path=str(path), to=str(copy))
    return copy


def _place(path: Path, name: str) -> Path:
    """Where the copy goes, or is: one is this database's while no relay has opened it since."""
    known = _opened(path)
    endings = ("" if number == 1 else f".{number}" for number in count(1))
    copies = (path.with_name(name + ending) for ending in endings)
    return next(copy for copy in copies if not copy.exists() or _opened(copy) == known)


def _opened(path: Path) -> str | None:
    """Which database it is, and how often it was opened; None if it does not say."""
    try:
        with closing(engine.open_reader(path)) as connection:
            found = connection.execute("SELECT value FROM meta WHERE key = ?", (IDENTITY,))
            return next((str(value) for (value,) in found), None)
    except DatabaseError:
        return None


def _next_step(path: Path) -> str | None:
    """The first migration that a relay's database lacks; None also for what is none."""
    if not path.exists() or not path.stat().st_size:
        return None
    try:
        with closing(engine.open_reader(path)) as connection:
            applied = {
                name for (name,) in connection.execute("SELECT name FROM _sqlite_migrations")
            }
    except DatabaseError:
        return None  # whoever opens it says what is wrong with it
    return next((name for name in names() if name not in applied), None)
