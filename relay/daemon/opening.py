"""Opening the store: its file, its metrics, and what of it is logged."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, Final

import structlog

from relay.clock import RandomIds, SystemClock
from relay.daemon.finishes import Finishes
from relay.daemon.wiring import store_settings
from relay.errors import SettingsError, Unavailable
from relay.store import Store
from relay.store.compare.reconciling import DriftKind
from relay.store.file.engine import SQLITE_VERSION
from relay.telemetry import events

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AsyncExitStack

    from relay.settings import Settings
    from relay.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

_AGAIN_S: Final = 5.0
_WAITED_FOR: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})


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

    store, left = await _begun(settings, metrics, counted)
    stack.callback(store.stop)
    log.info(
        events.STORE_OPENED, path=str(settings.store.path), sqlite=SQLITE_VERSION, in_flight=left
    )
    return store


async def _begun(
    settings: Settings, metrics: Metrics, counted: Callable[[str, str], None]
) -> tuple[Store, int]:
    """The store at work; where the disk does not take its first write, as soon as it does (A7).

    Ending instead would leave it to whoever starts it, and systemd gives up after a few times.
    """
    while True:
        try:
            return await _tried(settings, metrics, counted)
        except Unavailable as trouble:
            log.warning(events.STORE_TROUBLE, reason=trouble.detail)
            await asyncio.sleep(_AGAIN_S)


async def _tried(
    settings: Settings, metrics: Metrics, counted: Callable[[str, str], None]
) -> tuple[Store, int]:
    # In a thread, since signals are heard meanwhile: a migration may take a minute.
    try:
        settings.store.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        store = await asyncio.to_thread(
            Store, store_settings(settings), SystemClock(), RandomIds(), metrics.store, counted
        )
    except OSError as error:
        raise _unusable(settings, error) from error
    store.ended_told = Finishes(metrics.flow).take
    try:
        return store, await store.start()
    except Unavailable:
        store.stop()
        raise


def _unusable(settings: Settings, error: OSError) -> SettingsError | Unavailable:
    """A folder or file that is not ours is named with its key; a disk in trouble is waited for."""
    path, reason = settings.store.path, error.strerror or str(error)
    if error.errno in _WAITED_FOR:
        return Unavailable(f"cannot open {path}: {reason}; see to the disk's room and health")
    return SettingsError(
        [f"store.path: cannot use {path} ({reason}); name a file in a folder that this user owns"]
    )


def _tripped(connection: str) -> None:
    log.error(events.GUARD_TRIPPED, connection=connection, cure="see `scim-relay holds list`")


def _nearly_full(group: str) -> None:
    log.warning(events.GROUP_NEARLY_FULL, group=group, cure="docs/how-to/large-groups.md")


def _drifted(metrics: Metrics, what: str) -> None:
    metrics.delivery.drift.labels(what).inc()
    log.warning(events.DRIFT_FOUND, what=what, cure="see `scim-relay reconcile --last`")
