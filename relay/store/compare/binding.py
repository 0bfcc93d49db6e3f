"""Whether TFE is still the one this database was filled from (semantics K5)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relay.rules.types import Kind

if TYPE_CHECKING:
    from relay.store.file.engine import Connection
    from relay.store.file.transaction import Transaction

TARGET_NOTE: Final = "target url"
"""The TFE this database belongs to, kept in it."""

SAMPLE: Final = 3
"""Known ids that are asked for before TFE is called foreign."""

OLDEST: Final = 5_000
"""The sample is looked for among so many of the oldest rows first: they are the longest known."""

_KNOWN: Final = (
    "c_exists = 1 AND c_name_key IS NOT NULL AND id <> ? AND c_at <= ?"
    " AND NOT (state <> 'live' AND EXISTS (SELECT 1 FROM effect"
    " WHERE effect.resource = resource.id AND effect.key = 0 AND unknown = 1))"
)


@dataclass(frozen=True, slots=True)
class Bound:
    """What TFE should have.

    Attributes:
        users: confirmed users; one whose deletion may have reached TFE is not expected there.
            At most 1,000 are counted.
        sample: kind and TFE id of a few such users and groups.
    """

    users: int
    sample: tuple[tuple[Kind, str], ...]


def bound(connection: Connection, but: int = 0, before: float = math.inf) -> Bound:
    """Confirmed users, and a few ids of users and groups.

    Args:
        connection: a reader's.
        but: a resource that is left out, because it is the one in question.
        before: what TFE told anything of later, in seconds since the epoch, is left out too.
    """
    users: int = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM resource INDEXED BY resource_confirmed"
        f" WHERE kind = 'User' AND {_KNOWN} LIMIT 1000)",
        (but, before),
    ).fetchone()[0]
    sample = connection.execute(
        "SELECT kind, target_id FROM (SELECT * FROM resource ORDER BY id LIMIT ?) AS resource"
        f" WHERE {_KNOWN} LIMIT ?",
        (OLDEST, but, before, SAMPLE),
    ).fetchall()
    if not sample:
        sample = connection.execute(
            "SELECT kind, target_id FROM resource INDEXED BY resource_confirmed"
            f" WHERE {_KNOWN} LIMIT ?",
            (but, before, SAMPLE),
        ).fetchall()
    return Bound(users, tuple((Kind(kind), target) for kind, target in sample))


def note(tx: Transaction, key: str, value: str) -> None:
    """Keep a fact about this database's life."""
    tx.run(
        "INSERT INTO meta (key, value) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )


def noted(tx: Transaction, key: str) -> str | None:
    """A fact kept by `note`."""
    value: str | None = tx.value("SELECT value FROM meta WHERE key = ?", (key,))
    return value
