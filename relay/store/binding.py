"""Whether TFE is still the one this database was filled from (semantics K5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from relay.store.engine import Connection
    from relay.store.transaction import Transaction

SAMPLE: Final = 3
"""Known ids that are asked for before TFE is called foreign."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What TFE should have.

    Attributes:
        users: confirmed users; one whose deletion may have reached TFE is not expected there.
        sample: TFE ids of the longest confirmed ones.
    """

    users: int
    sample: tuple[str, ...]


def bound(connection: Connection, but: int = 0) -> Bound:
    """Confirmed users, and a few of their ids; one resource may be left out of them."""
    users: int = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM resource WHERE kind = 'User' AND c_exists = 1"
        " AND c_name_key IS NOT NULL AND state = 'live' LIMIT 1000)"
    ).fetchone()[0]
    sample = connection.execute(
        "SELECT target_id FROM resource WHERE kind = 'User' AND c_exists = 1"
        " AND c_name_key IS NOT NULL AND state = 'live' AND id <> ? LIMIT ?",
        (but, SAMPLE),
    ).fetchall()
    return Bound(users, tuple(target for (target,) in sample))


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
