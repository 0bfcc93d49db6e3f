"""What a supporter wants of the file: the last attempts that went wrong; without a relay, more."""

from __future__ import annotations

import secrets
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from relay.errors import StoreRefused
from relay.rules.contract import TFE
from relay.store.file import engine, identity
from relay.store.file.engine import DatabaseError
from relay.store.operate import listing, shape, status
from relay.store.operate.listing import ChangeFilter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from relay.rules.types import Json, JsonObject
    from relay.store.file.engine import Connection

LOOKED_AT: Final = 5_000
"""The last attempts that are looked through; there may be millions."""
SHOWN: Final = 100

_TROUBLE: Final = (
    "SELECT id AS attempt, resource AS row, purpose, method, path, claimed_at, settled_at, verdict,"
    " status, detail FROM attempt WHERE id > (SELECT ifnull(max(id), 0) FROM attempt) - ?"
    " AND verdict IS NOT NULL AND verdict NOT IN ('delivered', 'not sent')"
    " ORDER BY id DESC LIMIT ?"
)


def troubles(connection: Connection) -> list[Json]:
    """The last attempts that TFE did not take."""
    cursor = connection.execute(_TROUBLE, (LOOKED_AT, SHOWN))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def seed(connection: Connection) -> bytes:
    """What this database's pseudonyms are made with: the same for as long as it lives.

    Without it a random one: under a key that everybody knows, names could be tried.
    """
    row = connection.execute(
        "SELECT value FROM meta WHERE key = ?", (identity.IDENTITY,)
    ).fetchone()
    return _no_seed() if row is None else str(row[0]).partition('"opened"')[0].encode()


def _no_seed() -> bytes:
    return secrets.token_bytes(16)


def alone(path: Path, now: float) -> tuple[JsonObject, bytes]:
    """What a file says that no relay has open, and its seed; never changes it.

    Where the file cannot be read its trouble is all there is.
    """
    if not path.exists():
        return {"database": "there is none"}, _no_seed()
    try:
        with closing(engine.open_reader(path)) as connection:
            return _read(connection, now), seed(connection)
    except (OSError, StoreRefused, DatabaseError) as error:
        return {"database": f"cannot read it: {type(error).__name__}: {error}"}, _no_seed()


def _read(connection: Connection, now: float) -> JsonObject:
    seen = status.snapshot(connection, TFE.max_members)
    census = status.census(connection)
    parts: dict[str, Callable[[], Any]] = {
        "changes": lambda: dict(seen.counters),
        "users": lambda: census.users,
        "groups": lambda: census.groups,
        "lanes": lambda: dict(census.lanes),
        "owed_revocations": lambda: seen.owed,
        "held_effects": lambda: seen.held,
        "holds": lambda: [
            {"hold": hold.name.value, "since_s": now - hold.since, "reason": hold.reason}
            for hold in seen.holds
        ],
        "import": lambda: seen.imported,
        "schema": lambda: [
            name for (name,) in connection.execute("SELECT name FROM _sqlite_migrations")
        ],
        "shape": lambda: shape.shape(connection, now),
        "parked": lambda: listing.changes(connection, ChangeFilter(state="parked"), SHOWN),
        "pending": lambda: listing.changes(connection, ChangeFilter(state="pending"), SHOWN),
        "attempts": lambda: troubles(connection),
    }
    return {name: part() for name, part in parts.items()}
