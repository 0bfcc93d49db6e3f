"""Prometheus is told of a running relay every two seconds, from one consistent reading."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Final

from relay.clock import age_s
from relay.daemon.gauging import Gauging
from relay.store.state.holds import HoldName
from relay.telemetry.metrics import Snapshot as Gauges

if TYPE_CHECKING:
    from pathlib import Path

    from relay.clock import Clock
    from relay.delivery.importer import Importer
    from relay.pace import Pacer
    from relay.store import Store
    from relay.store.operate.status import Snapshot
    from relay.telemetry.metrics import Metrics

EVERY_S: Final = 2.0


class Reporter:
    """Keeps the gauges in step.

    Args:
        store: what is read, and whose file is measured.
        metrics: what is set.
        pacer: the rate now.
        importer: how far the directory is filled.
        clock: time.
    """

    def __init__(
        self, store: Store, metrics: Metrics, pacer: Pacer, importer: Importer, clock: Clock
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._pacer = pacer
        self._importer = importer
        self._clock = clock
        self._gauging = Gauging(store, metrics.flow, clock)

    async def run(self) -> None:
        """Set the gauges every two seconds, until cancelled."""
        while True:
            now = await self._store.snapshot()
            self._metrics.observe(self._gauges(now))
            await self._gauging.observe(now)
            self._metrics.target.paced(self._pacer.rate)
            await asyncio.sleep(EVERY_S)

    def _age(self, at: float | None) -> float:
        return 0.0 if at is None else age_s(self._clock, at)

    def _gauges(self, now: Snapshot) -> Gauges:
        path = self._store.path
        standing = {hold.name for hold in now.holds}
        return Gauges(
            queue={state: now.counters.get(state, 0) for state in ("pending", "parked")},
            owed_revocations=now.owed,
            oldest_owed_revocation_age_s=self._age(now.oldest_owed_at),
            oldest_pending_age_s=self._age(now.oldest_pending_at),
            holds={hold.value: hold in standing for hold in HoldName},
            groups_near_limit=now.near_limit,
            held_effects=now.held,
            store_db_bytes=_size(path),
            store_wal_bytes=_size(path.with_name(path.name + "-wal")),
            store_free_bytes=shutil.disk_usage(path.parent).free,
            import_progress=self._importer.progress,
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
