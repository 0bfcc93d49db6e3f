"""Opening the one file: lock, durability, and the connections of its two threads.

Exactly one process holds the file (an exclusive `flock` beside it, L2), and inside it exactly one
connection writes and checkpoints: SQLite's WAL-reset race (3.7.0 to 3.51.2) needs two. Carries A2:
`synchronous=FULL`, so that a commit is on disk when it returns.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3 as stdlib_sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlite_utils import Database

from relay.errors import AlreadyRunning, RelayError, StoreRefused, Unavailable
from relay.store.file import identity
from relay.store.file.migrations import bring_up

if TYPE_CHECKING:
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

NETWORK_FILESYSTEMS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph"}
)
FIELDS_OF_A_MOUNT: Final = 3
"""Device, mount point, type: what is needed of a line of `/proc/self/mounts`."""

SMALL_CACHE_BYTES: Final = 2_000_000


class FileLock:
    """The exclusive lock on the database; the kernel releases it with the process."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            AlreadyRunning: another process holds it.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise AlreadyRunning(
                f"cannot open {self._path.name.removesuffix('.lock')}: another relay holds it; "
                "stop that one first, two relays would double the rate"
            ) from None
        self._descriptor = descriptor

    @property
    def remembered(self) -> Identity | None:
        """The database that was here when the lock was last held."""
        assert self._descriptor is not None, "the lock is held"
        return identity.remembered(self._descriptor)

    def remember(self, known: Identity) -> None:
        """Remember the database that is here."""
        assert self._descriptor is not None, "the lock is held"
        identity.remember(self._descriptor, known)

    def release(self) -> None:
        """Give it back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def says_full(error: BaseException) -> bool:
    """Whether SQLite failed for want of room (SQLITE_FULL)."""
    return "full" in str(error)


def is_trouble(error: BaseException) -> bool:
    """Whether SQLite failed by its surroundings: tried again later, the same may succeed.

    Anything else it complains of (a constraint, a statement it does not understand) is our fault.
    """
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, DatabaseError) and code is not None and code & _PRIMARY in _TROUBLE


def filesystem_of(path: Path, mounts: str) -> str:
    """The type of the filesystem that holds `path`, by the text of `/proc/self/mounts`."""
    best, found = "", "unknown"
    for line in mounts.splitlines():
        parts = line.split()
        if len(parts) < FIELDS_OF_A_MOUNT:
            continue
        point = parts[1].rstrip("/") or "/"
        inside = str(path) == point or str(path).startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, found = point, parts[2]
    return found


def refuse_network_filesystem(path: Path) -> None:
    """Refuse a filesystem whose locks or syncs cannot be trusted.

    Raises:
        StoreRefused: it is one, named.
    """
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    kind = filesystem_of(path.parent.resolve(), mounts)
    if kind in NETWORK_FILESYSTEMS or kind.startswith("fuse.sshfs"):
        raise StoreRefused(f"cannot use {path}: {kind} is a network filesystem; use a local disk")


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
