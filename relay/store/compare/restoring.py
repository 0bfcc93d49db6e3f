"""A database from a backup, or an older copy: nothing is sent before it was compared with TFE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.store.compare import importing
from relay.store.file.identity import RESTORED
from relay.store.state import holds
from relay.store.state.holds import HoldName

if TYPE_CHECKING:
    from relay.store.file.transaction import Transaction


def begin(tx: Transaction, reason: str) -> None:
    """Raise the hold and have TFE read anew, since what was confirmed since is not known here."""
    holds.raise_hold(tx, HoldName.RESTORED, reason)
    importing.begin_anew(tx)
    tx.run("DELETE FROM meta WHERE key = ?", (RESTORED,))
