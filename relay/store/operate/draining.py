"""Whether writes are taken at all; kept in the file, so that a restart opens no drained relay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.store.compare import binding

if TYPE_CHECKING:
    from relay.store.file.transaction import Transaction

NOTE: Final = "draining"


def begin(tx: Transaction, actor: str, reason: str) -> None:
    """Take no more writes from now on, and say why."""
    binding.note(tx, NOTE, reason)
    tx.audit("draining", actor, reason=reason)


def end(tx: Transaction, actor: str, reason: str) -> None:
    """Take writes again."""
    tx.run("DELETE FROM meta WHERE key = ?", (NOTE,))
    tx.audit("drained", actor, reason=reason)


def why(tx: Transaction) -> str | None:
    """Why no writes are taken, or None when they are."""
    return binding.noted(tx, NOTE)
