"""The audit log's own upkeep: its chain's head is told once a minute, and its history ends.

Whoever keeps the log stream elsewhere can prove later that nothing was cut off or rewritten here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from relay.errors import Unavailable
from relay.store.operate.audit_pruning import HISTORY, WORDS
from relay.telemetry import events

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from relay.rules.chain import Head
    from relay.store import Store
    from relay.telemetry.metrics import StoreMetrics

log = structlog.get_logger(__name__)

EVERY_S: Final = 60.0
TOLD_EVERY: Final = 60
"""Looks after which a head that did not move is told again, and history is pruned."""
PAUSE_S: Final = 0.05
"""After each batch: pruning takes a tenth of the writer's time at most."""


class Auditing:
    """Tells the chain's head, and lets go what is old.

    Args:
        store: whose audit log.
        history_s: how long entries are kept; 0 keeps them for ever.
        words_s: how long names and words are kept; 0 keeps them as long as their entry.
        metrics: what is counted.
        pause_s: after each batch.
    """

    def __init__(
        self,
        store: Store,
        history_s: float,
        words_s: float,
        metrics: StoreMetrics,
        *,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._store = store
        self._history_s = history_s
        self._words_s = words_s
        self._metrics = metrics
        self._pause_s = pause_s
        self._told: Head | None = None

    async def run(self) -> None:
        """Look once a minute, until cancelled; a disk in trouble is tried again."""
        looks = 0
        while True:
            hourly = looks % TOLD_EVERY == 0
            try:
                await self.tell(anyway=hourly)
                await self._store.audit.finish()
                if hourly:
                    await self.prune()
            except Unavailable as error:
                log.warning(events.STORE_TROUBLE, reason=error.detail)
            looks += 1
            await asyncio.sleep(EVERY_S)

    async def tell(self, *, anyway: bool = False) -> None:
        """Log where the chain stands, if it moved."""
        head = await self._store.audit.head()
        if anyway or head != self._told:
            log.info(events.AUDIT_HEAD, entry=head.number, hash=head.hash.hex())
            self._told = head

    async def prune(self) -> None:
        """One pass through what is old enough, a day's worth at most.

        Raises:
            Unavailable: the disk takes nothing; what is gone by then is gone.
        """
        audit = self._store.audit
        entries = await self._let_go(self._history_s, HISTORY, audit.prune)
        forgotten = await self._let_go(self._words_s, WORDS, audit.forget)
        self._metrics.pruned("audit", entries)
        if entries or forgotten:
            log.info(events.AUDIT_PRUNED, entries=entries, forgotten=forgotten)

    async def _let_go(
        self, keep_s: float, note: str, batch: Callable[[float], Awaitable[tuple[int, bool]]]
    ) -> int:
        if not keep_s:
            return 0
        before = await self._store.audit.horizon(keep_s, note)
        went, done = 0, False
        while not done:
            some, done = await batch(before)
            went += some
            await asyncio.sleep(self._pause_s)
        return went
