"""Which database this is: a missing, emptied, foreign, newer or older one is not taken for it.

The lock file beside the database remembers its identity and how often it was opened. A relay that
finds less than that never begins anew: the queue would be gone, and nobody would know (L4).
"""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from sqlite_utils import Database

from relay.errors import StoreRefused
from relay.store.file.migrations import names, passable
from relay.store.file.schema import APPLICATION_ID

if TYPE_CHECKING:
    from pathlib import Path

    from relay.store.file.engine import Connection

IDENTITY: Final = "identity"
RESTORED: Final = "restored"
"""A note in a backup: whoever opens it starts in the hold of that name."""
FORMAT_AT: Final = 18
WITHOUT_LOG: Final = b"\x01\x01"
"""Of a file that is written without a write-ahead log (sqlite.org/fileformat.html, 1.3)."""
CHECKED_BYTES: Final = 512 * 1024 * 1024
"""Larger files are not checked page by page at start, which is to take 5 s at most."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What is remembered beside the file.

    Attributes:
        database: a random name given at its creation.
        opened: how often a relay has opened it.
    """

    database: str
    opened: int


def remembered(descriptor: int) -> Identity | None:
    """What the lock file says; None if it was never written."""
    text = os.pread(descriptor, 4096, 0)
    try:
        return Identity(**json.loads(text)) if text.strip() else None
    except (ValueError, TypeError):
        return None


def remember(descriptor: int, identity: Identity) -> None:
    """Write the lock file's text anew."""
    text = json.dumps(asdict(identity)).encode() + b"\n"
    os.pwrite(descriptor, text, 0)
    os.ftruncate(descriptor, len(text))
    os.fsync(descriptor)


def sync(path: Path) -> None:
    """Have a file, or a folder's list of files, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def refuse_unlikely(path: Path, known: Identity | None) -> None:
    """Refuse what can be told from the files alone, before SQLite touches them.

    Raises:
        StoreRefused: the database is missing or emptied, or lies beside another one's log.
    """
    refuse_missing(path, known)
    refuse_anothers_log(path)


def refuse_missing(path: Path, known: Identity | None) -> None:
    """Refuse to begin anew where there was a database.

    Raises:
        StoreRefused: the file is missing or empty, and was not.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        size = None
    if known is None or size:
        return
    what = "is missing" if size is None else "is empty"
    lock = path.with_name(path.name + ".lock")
    raise StoreRefused(
        f"cannot open {path}: it {what}, and it held a queue before (opened {known.opened} times);"
        f" put a backup there, or delete {lock.name} to begin anew and lose what was queued"
    )


def refuse_anothers_log(path: Path) -> None:
    """Refuse a backup beside the write-ahead log of the database that was there before it.

    SQLite would take the log for the backup's own, and write it into the file for good. A running
    relay's file says that it has a log before it gets one; a backup, a copy made before a migration
    and what `salvage` saved say that they have none.

    Raises:
        StoreRefused: there is such a log.
    """
    log = path.with_name(path.name + "-wal")
    try:
        with path.open("rb") as file:
            header = file.read(FORMAT_AT + 2)
        size = log.stat().st_size
    except OSError:
        return  # neither, or whoever opens it says what is wrong
    if size and header[FORMAT_AT:] == WITHOUT_LOG:
        raise StoreRefused(
            f"cannot open {path}: {log.name} beside it is not its own, but of the file that was"
            f" here before; keep {log.name} with that file, or remove it, and start again"
        )


def recognise(connection: Connection, path: Path) -> None:
    """Refuse a file that is not a relay's database of this release, an earlier one or the next.

    Raises:
        StoreRefused: another program's, a newer relay's, or damaged.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    # The list of migrations comes first: a first start may have died right behind it.
    (ours,) = connection.execute(
        "SELECT count(*) FROM sqlite_schema WHERE tbl_name <> '_sqlite_migrations'"
    ).fetchone()
    if not ours:
        return
    if application != APPLICATION_ID:
        raise StoreRefused(
            f"cannot open {path}: it is another program's database; name another file"
        )
    there = {name for (name,) in connection.execute("SELECT name FROM _sqlite_migrations")}
    if newer := there - set(names()) - passable(Database(connection)):
        raise StoreRefused(
            f"cannot open {path}: a newer relay wrote it ({', '.join(sorted(newer))});"
            " install that release again, or put a backup of this one there"
        )
    if path.stat().st_size <= CHECKED_BYTES:
        _check_pages(connection, path)


def _check_pages(connection: Connection, path: Path) -> None:
    found = [text for (text,) in connection.execute("PRAGMA quick_check(5)")]
    if found != ["ok"]:
        raise StoreRefused(
            f"cannot open {path}: it is damaged ({found[0]}); keep the file, and put a backup"
            " there, or what `scim-relay salvage` can read of it"
        )


def opened(connection: Connection, known: Identity | None) -> tuple[Identity, str | None]:
    """Count this opening, in the database first.

    Returns:
        What to remember, and why the database is not the one that was here last; None if it is.
    """
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (IDENTITY,)).fetchone()
    found = Identity(**json.loads(row[0])) if row else Identity(uuid.uuid4().hex, 0)
    now = Identity(found.database, found.opened + 1)
    note = connection.execute("SELECT value FROM meta WHERE key = ?", (RESTORED,)).fetchone()
    why = note[0] if note else _strange(known, found)
    # Noted first: once it is counted here and remembered, the next start would take it for ours,
    # and this one may die before its hold is raised.
    facts = ((RESTORED, why), (IDENTITY, json.dumps(asdict(now))))
    for key, value in facts:
        if value is not None:
            connection.execute(
                "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value)
            )
    return now, why


def _strange(known: Identity | None, found: Identity) -> str | None:
    """Why this is not the database that was here last; None if it is."""
    if known is None or known == found:
        return None
    if known.database != found.database:
        return "another relay's database was put here"
    if found.opened < known.opened:
        return f"an older copy was put here: opened {found.opened} times, not {known.opened}"
    return None
