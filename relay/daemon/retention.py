"""History is kept for as long as `store.history` says, and goes in the background (A8).

A batch at a time, with a pause after each, so that no identity provider waits behind it. The file
does not shrink: its pages are used again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from relay.errors import Unavailable
from relay.store.operate.pruning import Cursor
from relay.telemetry import events

if TYPE_CHECKING:
    from relay.store import Store
    from relay.telemetry.metrics import StoreMetrics

log = structlog.get_logger(__name__)

EVERY_S: Final = 3600.0
PAUSE_S: Final = 0.05
"""After each batch: pruning takes a tenth of the writer's time at most."""


class Retention:
    """Prunes history.

    Args:
        store: whose.
        keep_s: how long it is kept; 0 keeps it for ever.
        metrics: what is counted.
        pause_s: after each batch.
    """

    def __init__(
        self, store: Store, keep_s: float, metrics: StoreMetrics, *, pause_s: float = PAUSE_S
    ) -> None:
        self._store = store
        self._keep_s = keep_s
        self._metrics = metrics
        self._pause_s = pause_s

    async def run(self) -> None:
        """Prune once an hour, until cancelled; a disk in trouble is tried an hour later."""
        while self._keep_s:
            try:
                await self.prune()
            except Unavailable as error:
                log.warning(events.STORE_TROUBLE, reason=error.detail)
            await asyncio.sleep(EVERY_S)

    async def prune(self) -> None:
        """One pass through what is old enough, a day's worth at most.

        Raises:
            Unavailable: the disk takes nothing; what is gone by then is gone.
        """
        before = await self._store.horizon(self._keep_s)
        at, done, changes, attempts = Cursor(), False, 0, 0
        while not done:
            batch = await self._store.prune(before, at)
            at, done = batch.at, batch.done
            changes += batch.changes
            attempts += batch.attempts
            self._metrics.pruned("change", batch.changes)
            self._metrics.pruned("attempt", batch.attempts)
            await asyncio.sleep(self._pause_s)
        if changes or attempts:
            log.info(events.HISTORY_PRUNED, changes=changes, attempts=attempts, before=before)
