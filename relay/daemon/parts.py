"""What delivery is made of, put together from settings, store, metrics and a client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relay.clock import SystemClock, system_rng
from relay.daemon.auditing import Auditing
from relay.daemon.gauging import tell_bounds
from relay.daemon.reporting import Reporter
from relay.daemon.retention import Retention
from relay.daemon.wiring import delivery_settings, reconcile_settings
from relay.delivery.dispatcher import Dispatcher
from relay.delivery.health import Health
from relay.delivery.holds import Holds
from relay.delivery.identity import Identity
from relay.delivery.importer import Importer
from relay.delivery.keeper import Keeper
from relay.delivery.rebuilder import Rebuilder, bound_to
from relay.delivery.reconciler import Reconciler
from relay.delivery.sender import Sender
from relay.pace import Pacer

if TYPE_CHECKING:
    from relay.clock import Clock
    from relay.settings import Settings
    from relay.store import Store
    from relay.target import TargetClient
    from relay.telemetry.metrics import Metrics

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


async def parts_of(
    settings: Settings, store: Store, metrics: Metrics, client: TargetClient
) -> Parts:
    """Make all of it, with what an earlier process left in the store taken up."""
    clock, rng, health = SystemClock(), system_rng(), Health()
    how, pacer = delivery_settings(settings), Pacer(settings.target.rate)
    sender = Sender(client, pacer, clock, metrics.target)
    tell_bounds(settings, metrics, pacer.rate, sender)
    identity = Identity(store, sender, clock)
    holds = await _holds(settings.target.url, store, clock)
    keeper = Keeper(holds, sender, identity, pacer, how, clock, rng)
    importer = Importer(store=store, sender=sender, holds=holds, health=health, clock=clock)
    await importer.load()
    dispatcher = Dispatcher(
        store=store,
        sender=sender,
        pacer=pacer,
        keeper=keeper,
        identity=identity,
        health=health,
        settings=how,
        clock=clock,
        rng=rng,
        metrics=metrics.target,
    )
    return Parts(
        store=store,
        metrics=metrics,
        pacer=pacer,
        keeper=keeper,
        importer=importer,
        reconciler=_reconciler(settings, store, importer, holds, identity),
        rebuilder=_rebuilder(settings, store, importer, holds),
        dispatcher=dispatcher,
        reporter=Reporter(store, metrics, pacer, importer, clock),
        retention=Retention(store, settings.store.history.total_seconds(), metrics.store),
        auditing=_auditing(settings, store, metrics),
        clock=clock,
    )


async def _holds(url: str, store: Store, clock: Clock) -> Holds:
    holds = Holds(store, clock)
    await holds.load()
    await bound_to(url, store, holds)
    return holds


def _auditing(settings: Settings, store: Store, metrics: Metrics) -> Auditing:
    kept = settings.audit
    history_s, words_s = kept.history.total_seconds(), kept.personal_history.total_seconds()
    return Auditing(store, history_s, words_s, metrics.store)


def _rebuilder(settings: Settings, store: Store, importer: Importer, holds: Holds) -> Rebuilder:
    target = settings.target
    return Rebuilder(
        store,
        importer,
        holds,
        url=target.url,
        rate=target.rate,
        links=bool(settings.links),
    )


def _reconciler(
    settings: Settings, store: Store, importer: Importer, holds: Holds, identity: Identity
) -> Reconciler:
    return Reconciler(
        store=store,
        importer=importer,
        holds=holds,
        identity=identity,
        clock=SystemClock(),
        settings=reconcile_settings(settings),
    )
