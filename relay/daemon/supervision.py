"""Delivery's loops: the death of one ends the daemon, a stop drains them (L1, L10)."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import structlog

from relay.daemon.disk import watch_disk
from relay.errors import Unavailable
from relay.telemetry import events

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Mapping
    from typing import Any

    from relay.daemon.parts import Parts
    from relay.store import Store
    from relay.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

DRAIN_S: Final = 20.0
"""Requests to TFE under way at a stop are given this long; systemd's TimeoutStopSec is longer."""


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
        "disk": watch_disk(parts.store),
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
