"""Unlearning a TFE that is gone, so that delivery makes the one that answers match the directory.

After a wipe, a restore or a move every id of TFE's is dead. Users and groups that TFE confirmed are
unlearnt a batch at a time while the hold `foreign` keeps everything from being sent; interrupted,
the next batch is what is left. Then they are created by the same lanes and planner as ever: what
exists already answers 409, is looked up, compared and adopted (K4), and new ids are bound behind
those that identity providers hold. A deletion that is pending stays one: its request is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.store import adopting, lanes, rows

if TYPE_CHECKING:
    from relay.store.engine import Connection
    from relay.store.transaction import Transaction

BATCH: Final = 20
"""Resources in one transaction, so that accepting goes on between them."""

_BOUND: Final = "state = 'live' AND c_exists = 1"


def under_way(connection: Connection) -> bool:
    """Whether a request may still be answered by the TFE that is to be unlearnt."""
    row = connection.execute("SELECT 1 FROM attempt WHERE verdict IS NULL LIMIT 1").fetchone()
    return row is not None


def left(connection: Connection) -> dict[str, int]:
    """What is to be created again, by kind."""
    return dict(
        connection.execute(f"SELECT kind, count(*) FROM resource WHERE {_BOUND} GROUP BY kind")
    )


def unlearn(tx: Transaction) -> int:
    """Unlearn the next batch, groups first; how many there were."""
    batch = tx.all(f"SELECT id FROM resource WHERE {_BOUND} ORDER BY kind, id LIMIT ?", (BATCH,))
    for (row,) in batch:
        tx.run("UPDATE lane SET ask = NULL, doubt = NULL WHERE resource = ?", (row,))
        adopting.absent(tx, row)
        lanes.renew(tx, rows.by_row(tx, row))
    return len(batch)
