"""The one place that wires everything: parts, sockets, signals, and the order they end in.

Start: file, then delivery, then operators' sockets, then the front: nobody is let in before a
change can be kept. Stop is the reverse (L1): no new request, in-flight ones finish to a deadline,
what was sent is settled, and the file is closed last. A part that dies ends the process: its
supervisor starts it again.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from relay import __version__
from relay.daemon.opening import opened
from relay.daemon.operating import operated
from relay.daemon.parts import parts_of
from relay.daemon.reloading import Reloading
from relay.daemon.supervision import delivering
from relay.daemon.token_use import TokenUse
from relay.daemon.upstream import DeliveryUpstream
from relay.daemon.wiring import front_settings, site_watch, target_client
from relay.front.auth import TokenTable
from relay.front.front import Front
from relay.front.server import Listening, serve_front
from relay.ops import systemd
from relay.ops.watchdog import keep_watch
from relay.orders.draining import Draining
from relay.orders.status import Seen
from relay.site.announcing import Announcer
from relay.site.expiry import ConfiguredEnd
from relay.telemetry import events
from relay.telemetry.log import configure
from relay.telemetry.metrics import Metrics

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Coroutine, Sequence
    from pathlib import Path
    from typing import Any

    from relay.clock import Clock
    from relay.daemon.parts import Parts
    from relay.delivery.importer import Importer
    from relay.delivery.keeper import Keeper
    from relay.settings import Settings
    from relay.site.watch import SiteWatch
    from relay.store import Store

log = structlog.get_logger(__name__)

COLLECT_AFTER: Final = (5_000, 20, 20)
"""New objects before a young collection, young before a middle one, middle before a full one."""


@dataclass(frozen=True, slots=True)
class Running:
    """A relay that takes requests.

    Attributes:
        listening: where the front takes requests.
        metrics_port: the health server's port; 0 without one.
        store: its store.
        metrics: its metrics.
        parts: what delivery is made of.
        site: watches TFE's own side, or None without its admin API.
        reloading: reads the configuration's connections again.
        failed: set when a part of it died.
    """

    listening: Listening
    metrics_port: int
    store: Store
    metrics: Metrics
    parts: Parts
    site: SiteWatch | None
    reloading: Reloading
    failed: asyncio.Event

    @property
    def port(self) -> int:
        """The front's TCP port; 0 for a unix socket."""
        return self.listening.port

    @property
    def importer(self) -> Importer:
        """How far the directory is filled."""
        return self.parts.importer

    @property
    def keeper(self) -> Keeper:
        """Its holds."""
        return self.parts.keeper


@asynccontextmanager
async def running(
    settings: Settings, inherited: Sequence[socket.socket] = (), config: Path | None = None
) -> AsyncIterator[Running]:
    """Run a relay for as long as the block lasts.

    Args:
        settings: what it runs with.
        inherited: sockets that are listened on already.
        config: the file that `settings` are of, for who wants them read again.

    Raises:
        SettingsError: a file or address of the configuration cannot be used.
        StoreRefused: the database cannot.
    """
    async with AsyncExitStack() as stack:
        metrics = Metrics()
        store = await opened(settings, metrics, stack)
        client = await stack.enter_async_context(target_client(settings))
        parts = await parts_of(settings, store, metrics, client)
        end = ConfiguredEnd(settings.target.token_expires)
        announcer = Announcer(metrics.site, end)
        watched = site_watch(settings, store, parts.keeper, announcer)
        site = await stack.enter_async_context(watched)
        failed = asyncio.Event()
        faced = front_settings(settings)
        tokens = TokenTable(faced.connections)
        use = TokenUse(tokens, store, metrics.front, parts.clock)
        await use.load()
        stack.push_async_callback(use.keep)
        more = {"tokens": use.run()} | _watching(site, announcer, parts.clock)
        await stack.enter_async_context(delivering(parts, failed, more))
        draining = await Draining.of(store)
        reloading = Reloading(config, settings, tokens, end, store, use.measure)
        seen = Seen(site, end, draining, tokens)
        metrics_port = await operated(settings, parts, seen, reloading, stack)
        upstream = DeliveryUpstream(parts.importer, parts.keeper.holds, draining)
        front = Front(faced, store.directory, upstream, metrics.front, parts.clock, tokens)
        listening = await stack.enter_async_context(serve_front(front, inherited))
        yield Running(listening, metrics_port, store, metrics, parts, site, reloading, failed)


def _watching(
    site: SiteWatch | None, announcer: Announcer, clock: Clock
) -> dict[str, Coroutine[Any, Any, None]]:
    """TFE's own side; without its admin API what the configuration tells of it."""
    if site is None:
        return {"token end": announcer.end.run(announcer, clock)}
    return {"site": site.run(), "links": site.linking.run()}


def run(settings: Settings, config: Path | None = None) -> int:
    """Run the daemon until SIGTERM or SIGINT; the process's exit code."""
    configure(settings.log.level, settings.log.format, remember=True)
    return asyncio.run(_serve(settings, config))


async def _serve(settings: Settings, config: Path | None) -> int:
    stop, again = asyncio.Event(), asyncio.Event()
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(None) as start:
                _on_signals(stop, again, start)
                log.info(events.STARTED, version=__version__, target=settings.target.url)
                inherited = systemd.inherited_sockets()
                relay = await stack.enter_async_context(running(settings, inherited, config))
        except TimeoutError:
            if not start.expired():
                raise
            log.info(events.STOPPED)
            return 0
        failed = await _until_told(relay, stop, again)
    log.info(events.STOPPED)
    return 70 if failed else 0


async def _until_told(relay: Running, stop: asyncio.Event, again: asyncio.Event) -> bool:
    """Take requests until somebody says stop, or a part dies; whether one did."""
    async with asyncio.TaskGroup() as tasks:
        log.info(events.READY, address=relay.listening.address, port=relay.port)
        systemd.notify(systemd.READY)
        _spare_collections()
        watchdog = tasks.create_task(keep_watch(relay.parts.alive, relay.store.pulse))
        reloads = tasks.create_task(relay.reloading.signalled(again))
        waits = [tasks.create_task(event.wait()) for event in (stop, relay.failed)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in (*waits, watchdog, reloads):
            task.cancel()
        systemd.notify(systemd.STOPPING)
        return relay.failed.is_set()


def _spare_collections() -> None:
    """Let the garbage collector look at what requests leave, and seldom.

    What start-up made lives as long as the process. Looking through it again stopped every answer
    for tens of milliseconds, and requests leave hardly any cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def _on_signals(stop: asyncio.Event, again: asyncio.Event, start: asyncio.Timeout) -> None:
    """The first signal drains; the second leaves at once (L1): what is on disk is enough.

    During the start there is nothing to drain: it is given up, wherever it waits. SIGHUP has the
    configuration read again; one that comes during the start waits for its end.
    """
    loop = asyncio.get_running_loop()

    def signalled(name: str) -> None:
        if stop.is_set():
            sys.stderr.flush()
            os._exit(1)
        log.info(events.STOPPING, signal=name)
        stop.set()
        with suppress(RuntimeError):  # it has begun
            start.reschedule(loop.time())

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled, number.name)
    loop.add_signal_handler(signal.SIGHUP, again.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
