"""Opening the one file: lock, durability, and the connections of its two threads.

Exactly one process holds the file (an exclusive `flock` beside it, L2), and inside it exactly one
connection writes and checkpoints: SQLite's WAL-reset race (3.7.0 to 3.51.2) needs two. Carries A2:
`synchronous=FULL`, so that a commit is on disk when it returns.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3 as stdlib_sqlite3
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlite_utils import Database

from relay.errors import AlreadyRunning, RelayError, StoreRefused, Unavailable
from relay.store.file import identity
from relay.store.file.migrations import bring_up

if TYPE_CHECKING:
    from pathlib import Path

    from relay.store.file.identity import Identity

try:
    import pysqlite3 as sqlite3
except ImportError:  # no wheel for this platform: the standard library's, `check` tells its version
    sqlite3 = stdlib_sqlite3

SQLITE_VERSION: Final[str] = sqlite3.sqlite_version
Connection = stdlib_sqlite3.Connection
Row = tuple[object, ...]

DatabaseError: Final[type[stdlib_sqlite3.DatabaseError]] = sqlite3.DatabaseError
IntegrityError: Final[type[stdlib_sqlite3.IntegrityError]] = sqlite3.IntegrityError
OperationalError: Final[type[stdlib_sqlite3.OperationalError]] = sqlite3.OperationalError

_TROUBLE: Final = frozenset(
    {
        stdlib_sqlite3.SQLITE_BUSY,
        stdlib_sqlite3.SQLITE_LOCKED,
        stdlib_sqlite3.SQLITE_NOMEM,
        stdlib_sqlite3.SQLITE_READONLY,
        stdlib_sqlite3.SQLITE_INTERRUPT,
        stdlib_sqlite3.SQLITE_IOERR,
        stdlib_sqlite3.SQLITE_CORRUPT,
        stdlib_sqlite3.SQLITE_FULL,
        stdlib_sqlite3.SQLITE_CANTOPEN,
        stdlib_sqlite3.SQLITE_PROTOCOL,
        stdlib_sqlite3.SQLITE_NOTADB,
    }
)
"""Primary result codes (sqlite.org/rescode.html) that speak of the disk or of memory."""
_PRIMARY: Final = 0xFF
"""Extended result codes keep the primary one in their lowest byte."""

_DAMAGE: Final = frozenset({stdlib_sqlite3.SQLITE_CORRUPT, stdlib_sqlite3.SQLITE_NOTADB})
"""Of these, what no room and no waiting cures."""

SMALL_CACHE_BYTES: Final = 2_000_000


class FileLock:
    """The exclusive lock on the database; the kernel releases it with the process.

    It is held on a file beside the database, which outlives it, and on the database itself, which
    may have a second name. Locks of SQLite's own are of another kind, and end when this process
    closes any descriptor of the file: this one is closed last.
    """

    def __init__(self, path: Path) -> None:
        self._database = path
        self._path = path.with_name(path.name + ".lock")
        self._held: list[int] = []

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            AlreadyRunning: another process holds it.
        """
        self._take(self._path, os.O_RDWR | os.O_CREAT)
        if self._database.exists():
            self._take(self._database, os.O_RDONLY)

    def _take(self, path: Path, how: int) -> None:
        descriptor = os.open(path, how | os.O_CLOEXEC, 0o600)
        self._held.append(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise AlreadyRunning(
                f"cannot open {self._database.name}: another relay holds it; "
                "stop that one first, two relays would double the rate"
            ) from None

    @property
    def remembered(self) -> Identity | None:
        """The database that was here when the lock was last held."""
        assert self._held, "the lock is held"
        return identity.remembered(self._held[0])

    def remember(self, known: Identity) -> None:
        """Remember the database that is here."""
        assert self._held, "the lock is held"
        identity.remember(self._held[0], known)

    def release(self) -> None:
        """Give it back."""
        while self._held:
            os.close(self._held.pop())


def says_full(error: BaseException) -> bool:
    """Whether SQLite failed for want of room (SQLITE_FULL)."""
    return "full" in str(error)


def is_trouble(error: BaseException) -> bool:
    """Whether SQLite failed by its surroundings: tried again later, the same may succeed.

    Anything else it complains of (a constraint, a statement it does not understand) is our fault.
    """
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, DatabaseError) and code is not None and code & _PRIMARY in _TROUBLE


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much the file may take of memory and disk.

    Attributes:
        cache_bytes: pages kept by the writer, and by the reader for identity providers.
        max_wal_bytes: what the write-ahead log is cut back to after a checkpoint.
    """

    cache_bytes: int = 32_000_000
    max_wal_bytes: int = 64_000_000


USUAL: Final = Bounds()


def open_writer(path: Path, *, synchronous: str = "FULL", bounds: Bounds = USUAL) -> Connection:
    """The one connection that writes; schema and migrations are applied first.

    Args:
        path: the database file, made with mode 0600 if it is missing.
        synchronous: `FULL`; anything less is the negative control of the power-cut proof.
        bounds: of memory and disk.

    Raises:
        StoreRefused: the file is not a relay's database, or is damaged.
        Unavailable: the disk does not let it be read or written now.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    _close_to_others(path)
    connection: Connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=512, timeout=5
    )
    try:
        identity.recognise(connection, path)
        for pragma in (
            "journal_mode = WAL",
            f"synchronous = {synchronous}",
            f"cache_size = -{bounds.cache_bytes // 1_024}",
            f"journal_size_limit = {bounds.max_wal_bytes}",
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")
        bring_up(Database(connection))
    except StoreRefused:
        connection.close()
        raise
    except DatabaseError as error:
        connection.close()
        raise _unopened(path, error) from error
    return connection


def _close_to_others(path: Path) -> None:
    """Give the file of a backup, and a log left beside it, mode 0600: SQLite makes others alike."""
    for ending in ("", "-wal", "-shm"):
        file = path.with_name(path.name + ending)
        with suppress(FileNotFoundError, PermissionError):  # another's: its owner sees to it
            if file.stat().st_mode & 0o077:
                file.chmod(0o600)


def counted(
    connection: Connection, path: Path, known: identity.Identity | None
) -> tuple[identity.Identity, str | None]:
    """`identity.opened`, the first write of a start.

    On a full disk it is tried once more in the log that a dead process left, begun anew.

    Raises:
        Unavailable: the disk does not take it.
    """
    try:
        try:
            return identity.opened(connection, known)
        except DatabaseError as error:
            if not says_full(error):
                raise
            connection.execute("PRAGMA wal_checkpoint(RESTART)")
            return identity.opened(connection, known)
    except DatabaseError as error:
        connection.close()
        raise _unopened(path, error) from error


def _unopened(path: Path, error: Exception) -> RelayError:
    """A damaged file needs its operator; a disk that does not take a write gets another start."""
    if is_trouble(error) and getattr(error, "sqlite_errorcode", 0) & _PRIMARY not in _DAMAGE:
        return Unavailable(
            f"cannot open {path}: {error}; nothing in it is lost: see to the disk's room, health"
            " and permissions, and start again"
        )
    return StoreRefused(
        f"cannot open {path}: {error}; keep the file, and put a backup there,"
        " or what `scim-relay salvage` can read of it"
    )


def open_reader(path: Path, cache_bytes: int = SMALL_CACHE_BYTES) -> Connection:
    """A connection that can only read; it sees every commit as soon as it is made."""
    connection: Connection = sqlite3.connect(
        f"file:{path}?mode=ro",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=512,
        timeout=5,
    )
    connection.execute(f"PRAGMA cache_size = -{cache_bytes // 1_024}")
    return connection


def open_plain(path: Path) -> Connection:
    """A connection to a file that no relay uses, for tools."""
    connection: Connection = sqlite3.connect(path, isolation_level=None, timeout=5)
    return connection
