"""Looking at an audit log as an auditor does."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from relay.rules.chain import Walk
from relay.store.file import audit_log
from relay.store.file.engine import open_plain

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("id", "at", "event", "actor", "change", "resource", "attempt", "what", "detail")


def walk_of(connection: Any) -> Walk:
    """Go along the whole chain."""
    walk = Walk(audit_log.anchor(connection))
    for one in audit_log.walked(connection):
        walk.step(one)
    return walk


def walk_in(path: Path) -> Walk:
    """Go along the chain of a file that no relay has open."""
    with closing(open_plain(path)) as connection:
        return walk_of(connection)


async def walked(store: Any) -> Walk:
    """Go along the chain of a store that is open."""
    walk: Walk = await store.run(lambda tx: walk_of(tx.connection))
    return walk


async def entries(store: Any, event: str | None = None) -> list[dict[str, Any]]:
    """All entries, or those of one event."""
    rows = await store.run(
        lambda tx: tx.all(
            f"SELECT {', '.join(COLUMNS)} FROM audit WHERE ?1 IS NULL OR event = ?1 ORDER BY id",
            (event,),
        )
    )
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]
