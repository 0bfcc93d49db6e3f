"""Keeps the gauges of the flow in step with the database, at a cost that stays small."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.store.state.holds import HoldName
from relay.telemetry.flow_metrics import KINDS, Flow, Waiting

if TYPE_CHECKING:
    from relay.clock import Clock
    from relay.delivery.sender import Sender
    from relay.settings import Settings
    from relay.store import Store
    from relay.store.operate.status import Snapshot
    from relay.telemetry.flow_metrics import FlowMetrics
    from relay.telemetry.metrics import Metrics

SHARE: Final = 20
"""What is counted row by row takes one part in so many of a thread's time at most."""

STATES: Final = ("accepted", "delivered", "refused", "parked", "dropped", "pending")


def tell_bounds(settings: Settings, metrics: Metrics, rate: float, sender: Sender) -> None:
    """Set what does not change while the relay runs, and where requests under way are counted."""
    target = settings.target
    bounds = settings.store.max_pending, target.concurrency, target.rate
    metrics.target.paced(rate)
    metrics.flow.bounded(*bounds, lambda: sender.in_flight)


class Gauging:
    """Sets the flow's gauges.

    Args:
        store: what is read.
        metrics: what is set.
        clock: time.
    """

    def __init__(self, store: Store, metrics: FlowMetrics, clock: Clock) -> None:
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._next_s = 0.0

    async def observe(self, now: Snapshot) -> None:
        """After a reading of the database: all that it says, and now and then what waits."""
        since = {hold.value: 0.0 for hold in HoldName}
        for hold in now.holds:
            since[hold.name.value] = since[hold.name.value] or hold.since
        self._metrics.observe(
            Flow(
                {state: now.counters.get(state, 0) for state in STATES},
                now.accepted_at or 0.0,
                since,
                now.tripped,
                self._store.directory.closed is not None,
            )
        )
        began = self._clock.monotonic()
        if began >= self._next_s:
            await self._count()
            took_s = self._clock.monotonic() - began
            self._next_s = self._clock.monotonic() + SHARE * took_s

    async def _count(self) -> None:
        found = await self._store.desk.backlog()
        for kind in KINDS:
            changes, oldest = found.pending.get(kind, (0, None))
            lag_s = 0.0 if oldest is None else max(0.0, self._clock.wall() - oldest)
            self._metrics.waiting(kind, Waiting(changes, lag_s, found.unbound.get(kind, 0)))
        self._metrics.overflowed(found.overflowed)
        self._metrics.delivered(found.delivered_at or 0.0)
