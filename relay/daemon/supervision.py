"""Delivery's loops: the death of one ends the daemon, a stop drains them (L1, L10)."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from relay.errors import Unavailable
from relay.telemetry import events

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Mapping
    from typing import Any

    from relay.clock import Clock
    from relay.daemon.auditing import Auditing
    from relay.daemon.reporting import Reporter
    from relay.daemon.retention import Retention
    from relay.delivery.dispatcher import Dispatcher
    from relay.delivery.importer import Importer
    from relay.delivery.keeper import Keeper
    from relay.delivery.rebuilder import Rebuilder
    from relay.delivery.reconciler import Reconciler
    from relay.pace import Pacer
    from relay.store import Store
    from relay.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)


DRAIN_S: Final = 20.0
"""Requests to TFE under way at a stop are given this long; systemd's TimeoutStopSec is longer."""


WATCH_S: Final = 1.0
STALLED_S: Final = 90.0
"""Delivery's loop went round within this time, or the daemon is not alive (L10)."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What delivery is made of."""

    store: Store
    metrics: Metrics
    pacer: Pacer
    keeper: Keeper
    importer: Importer
    reconciler: Reconciler
    rebuilder: Rebuilder
    dispatcher: Dispatcher
    reporter: Reporter
    retention: Retention
    auditing: Auditing
    clock: Clock

    def alive(self) -> bool:
        """Whether the writer runs and delivery's loop went round lately (L10).

        Delivery waits for the writer while the file is written anew, as everybody does.
        """
        late = self.clock.monotonic() - self.dispatcher.beat > STALLED_S
        return self.store.alive and (not late or self.store.closed)


@asynccontextmanager
async def delivering(
    parts: Parts, failed: asyncio.Event, more: Mapping[str, Coroutine[Any, Any, None]]
) -> AsyncIterator[None]:
    """Delivery's loops and `more`, under one group: the death of one is the death of all."""
    raised: BaseException | None = None
    works = {
        "keeper": parts.keeper.run(),
        "importer": parts.importer.run(),
        "reconciler": parts.reconciler.run(),
        "rebuilder": parts.rebuilder.run(),
        "disk": _watch_disk(parts),
        "reporter": parts.reporter.run(),
        "retention": parts.retention.run(),
        "auditing": parts.auditing.run(),
        **more,
    }
    async with asyncio.TaskGroup() as tasks:
        helpers = [
            tasks.create_task(_supervised(name, work, parts.metrics, failed))
            for name, work in works.items()
        ]
        sending = tasks.create_task(
            _supervised("dispatcher", parts.dispatcher.run(), parts.metrics, failed)
        )
        try:
            yield
        except BaseException as error:  # noqa: BLE001 - raised again as itself, not in a group
            raised = error
        for helper in helpers:
            helper.cancel()
        parts.dispatcher.stop()
        await asyncio.wait([sending], timeout=DRAIN_S)
        sending.cancel()
    if not failed.is_set():
        await _leave(parts.store)
    if raised is not None:
        raise raised


async def _leave(store: Store) -> None:
    """What the deadline cut off is no suspect of a death; a part that died may have been its."""
    try:
        await store.leave()
    except Unavailable as error:
        log.warning(events.STORE_TROUBLE, reason=error.detail)


async def _supervised(
    name: str, work: Coroutine[Any, Any, None], metrics: Metrics, failed: asyncio.Event
) -> None:
    """Run a part; its death is logged, counted, and ends the daemon (L10)."""
    try:
        await work
    except Exception:
        metrics.unexpected_error()
        log.exception(events.UNEXPECTED_ERROR, where=name)
        failed.set()


async def _watch_disk(parts: Parts) -> None:
    """Refuse writes while there is room left to record what becomes of those accepted (A7)."""
    directory = parts.store.directory
    while True:
        disk = await asyncio.to_thread(shutil.disk_usage, parts.store.path.parent)
        free = disk.free >= parts.store.min_free_bytes
        directory.full = not free or (directory.full and not await _room(parts.store))
        await asyncio.sleep(WATCH_S)


async def _room(store: Store) -> bool:
    """Whether the file may grow again; a disk that takes nothing at all has none."""
    try:
        return await store.room()
    except Unavailable:
        return False
