"""What the store's writer does, counted: SQL statements and steps of SQLite's machine.

Both are the same on every machine and under every load, which no time is.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OVERHEAD = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


class Cost:
    """Filled while the block of `cost_of` runs."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.steps = 0

    def step(self) -> int:
        self.steps += 1
        return 0


@asynccontextmanager
async def cost_of(store: Any) -> AsyncIterator[Cost]:
    """Count what the writer is asked to do inside the block; its own bookkeeping is left out."""
    cost = Cost()

    def begin(tx: Any) -> None:
        tx.connection.set_trace_callback(cost.statements.append)
        tx.connection.set_progress_handler(cost.step, 1)

    def end(tx: Any) -> None:
        tx.connection.set_trace_callback(None)
        tx.connection.set_progress_handler(None, 1)

    await store.run(begin)
    try:
        yield cost
    finally:
        await store.run(end)
        cost.statements = [one for one in cost.statements if not one.startswith(OVERHEAD)]
