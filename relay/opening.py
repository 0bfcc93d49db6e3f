"""Opening the store: its file, its metrics, and what of it is logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from relay.clock import RandomIds, SystemClock
from relay.finishes import Finishes
from relay.store import Store
from relay.store.engine import SQLITE_VERSION
from relay.store.reconciling import DriftKind
from relay.telemetry import events
from relay.wiring import store_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AsyncExitStack

    from relay.settings import Settings
    from relay.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)


async def opened(settings: Settings, metrics: Metrics, stack: AsyncExitStack) -> Store:
    """The store, open for as long as `stack` is, and counted.

    Raises:
        StoreRefused: the database cannot be opened.
    """
    counters: dict[str, Callable[[str], None]] = {
        "changes": metrics.delivery.change,
        "attempts": metrics.delivery.attempt,
        "ambiguous": metrics.delivery.ambiguous,
        "parked": metrics.delivery.parked,
        "saved": metrics.delivery.saved,
        "tripped": _tripped,
        "drift": lambda what: _drifted(metrics, what),
        "near limit": _nearly_full,
        "unexpected": lambda _where: metrics.unexpected_error(),
    }

    # Prometheus sees no increase in a series that begins at 1.
    for kind in DriftKind:
        metrics.delivery.drift.labels(kind.value)

    def counted(metric: str, label: str) -> None:
        if metric in counters:
            counters[metric](label)

    settings.store.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    store = Store(store_settings(settings), SystemClock(), RandomIds(), metrics.store, counted)
    stack.callback(store.stop)
    store.ended_told = Finishes(metrics.flow).take
    left = await store.start()
    log.info(
        events.STORE_OPENED, path=str(settings.store.path), sqlite=SQLITE_VERSION, in_flight=left
    )
    return store


def _tripped(connection: str) -> None:
    log.error(events.GUARD_TRIPPED, connection=connection, cure="see `scim-relay holds list`")


def _nearly_full(group: str) -> None:
    log.warning(events.GROUP_NEARLY_FULL, group=group, cure="docs/how-to/large-groups.md")


def _drifted(metrics: Metrics, what: str) -> None:
    metrics.delivery.drift.labels(what).inc()
    log.warning(events.DRIFT_FOUND, what=what, cure="see `scim-relay reconcile --last`")
