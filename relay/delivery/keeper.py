"""Holds while they stand: when to probe, what a probe says, when they go (design, *Holds*).

`throttled` goes with time; `paused`, `token` and `down` go when a gentle probe succeeds, and
whatever was held is then sent in order. With each probe that succeeds TFE is asked whether it is
still the one this database was filled from: if not, `foreign` is raised and only an operator ends
it.

Waits are kept by the monotonic clock: wall time may jump (L6). Only what is shown, and what a
restart finds in the store, is wall time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from relay.delivery.explaining import explained, questioned
from relay.rules import backoff, reads, retry_after
from relay.store.deliver.settling import HoldRequest
from relay.store.state.holds import Hold, HoldName
from relay.target.admin import SiteState
from relay.telemetry import events

if TYPE_CHECKING:
    from relay.clock import Clock, Rng
    from relay.delivery.dispatcher import DeliverySettings
    from relay.delivery.identity import Identity
    from relay.delivery.sender import Sender
    from relay.pace import Pacer
    from relay.store import Store

log = structlog.get_logger(__name__)

_ROUNDING_S: Final = 1.0
"""A wait of an hour is an hour, though moments pass between being asked for it and noting it."""

_REBUILT: Final = frozenset({HoldName.RESTORED, HoldName.FOREIGN, HoldName.OPERATOR})
PROBED: Final = (HoldName.PAUSED, HoldName.TOKEN, HoldName.DOWN)


class Keeper:
    """Keeps the holds, in memory as in the store.

    Args:
        store: where they last.
        sender: probes TFE; probes are requests like any other.
        identity: whether TFE is still ours.
        pacer: its rate, which trouble lowers.
        settings: how gently.
        clock: time.
        rng: jitter.
    """

    def __init__(
        self,
        store: Store,
        sender: Sender,
        identity: Identity,
        pacer: Pacer,
        settings: DeliverySettings,
        clock: Clock,
        rng: Rng,
    ) -> None:
        self._store = store
        self._sender = sender
        self._identity = identity
        self._pacer = pacer
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._holds: dict[HoldName, Hold] = {}
        self._unwritten: set[HoldName] = set()
        store.hold_told = self._written
        self._news = asyncio.Event()
        self._changes = asyncio.Event()
        self._probes = 0
        self._probe_at: float | None = None
        self._throttled_until = 0.0
        self._asks_first = False
        self._suspects = False
        self._site: SiteState | None = None
        self.rebuilding = False

    @property
    def blocked(self) -> bool:
        """Whether nothing may be sent."""
        return bool(self._holds)

    @property
    def unreadable(self) -> bool:
        """Whether TFE may not even be read; to be compared with a database it is."""
        read = _REBUILT if self.rebuilding else {HoldName.RESTORED}
        return bool(self._holds.keys() - read)

    @property
    def standing(self) -> tuple[Hold, ...]:
        """All holds that stand."""
        return tuple(self._holds.values())

    async def changed(self) -> None:
        """Wait until a hold was raised or lifted."""
        await self._changes.wait()

    def _tell(self) -> None:
        """Wake whoever waits for a change."""
        self._changes.set()
        self._changes = asyncio.Event()

    async def load(self) -> None:
        """Take over the holds of an earlier process: they survive a restart."""
        for hold in await self._store.holds():
            self._holds[hold.name] = hold
            if hold.until is not None:
                self._throttle(hold.until, hold.until - hold.since)

    def next_look_s(self, name: HoldName) -> float | None:
        """Seconds until a hold is looked at again, 0 while it is; None: an operator ends it."""
        at = None
        if name is HoldName.THROTTLED and name in self._holds:
            at = self._throttled_until
        elif name in PROBED and name in self._holds:
            at = self._probe_at or self._clock.monotonic()
            if HoldName.THROTTLED in self._holds:
                at = max(at, self._throttled_until)
        return None if at is None else max(0.0, at - self._clock.monotonic())

    def raised(self, request: HoldRequest) -> None:
        """A result raises a hold, or prolongs it; the store records it with that result."""
        self._unwritten.add(request.name)
        known = self._holds.get(request.name)
        since = known.since if known else self._clock.wall()
        until = request.until
        if until is not None:
            self._throttle(until, until - self._clock.wall())
            until = max(until, (known and known.until) or 0.0)
        self._holds[request.name] = Hold(request.name, since, until, request.reason)
        if known is None:
            log.warning(events.HOLD_RAISED, hold=request.name.value, reason=request.reason)
        self._stands()

    def _stands(self) -> None:
        self._site = None
        self._store.directory.give_up()
        self._news.set()
        self._tell()

    def _written(self, name: HoldName, hold: Hold | None) -> None:
        """A commit raised a hold, or lifted it: what stands on disk stands here.

        A disk may take a result long after it was known, and in between the hold it raised was
        lifted here: it stands again, and is probed again. A hold that is raised here and not yet on
        disk stays when an older lifting of it is.
        """
        if hold is None:
            if name not in self._unwritten and (gone := self._holds.pop(name, None)) is not None:
                stood = self._clock.wall() - gone.since
                log.info(events.HOLD_LIFTED, hold=name.value, stood_s=round(stood, 1))
                self._tell()
            return
        self._unwritten.discard(name)
        if name not in self._holds:
            self._holds[name] = hold
            if hold.until is not None:
                self._throttle(hold.until, hold.until - hold.since)
            log.warning(events.HOLD_RAISED, hold=name.value, reason=hold.reason)
            self._stands()

    def _throttle(self, until: float, asked_s: float) -> None:
        """Wait until then, an hour at most; what was asked for once is never shortened.

        After an hour, which stands for any longer `asked_s`, TFE is asked before all is sent.
        """
        wait_s = min(max(until - self._clock.wall(), 0.0), retry_after.MAX_S)
        self._throttled_until = max(self._throttled_until, self._clock.monotonic() + wait_s)
        self._asks_first = self._asks_first or asked_s > retry_after.MAX_S - _ROUNDING_S

    def succeeded(self) -> None:
        """A write reached TFE: the next trouble is probed as soon as the first was."""
        self._probes = 0

    def suspect(self) -> None:
        """Resources are created on a TFE that long has not proved to be ours: have it asked."""
        self._suspects = True
        self._news.set()

    async def raise_hold(self, name: HoldName, reason: str) -> None:
        """Raise a hold outside of any result."""
        self.raised(HoldRequest(name, reason))
        await self._store.raise_hold(name, reason)

    async def lift(self, name: HoldName, actor: str = "relay") -> None:
        """Lift a hold; delivery goes on if it was the last."""
        self._unwritten.discard(name)
        await self._store.lift(name, actor)
        self._store.work.set()

    async def run(self) -> None:
        """Probe and lift, until cancelled."""
        while True:
            self._news.clear()
            wait_s = self._next_s()
            try:
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            except TimeoutError:
                await self._look()

    def _next_s(self) -> float | None:
        """Seconds until the next look; None while nothing stands that time or a probe can lift."""
        now = self._clock.monotonic()
        if HoldName.THROTTLED in self._holds:
            return max(self._throttled_until - now, 0.0)
        if any(name in self._holds for name in PROBED):
            if self._probe_at is None:
                self._probe_at = now + self._probe_wait_s()
            return max(self._probe_at - now, 0.0)
        return 0.0 if self._suspects and not self._holds else None

    def _probe_wait_s(self) -> float:
        ceiling = backoff.ceiling_s(
            self._probes + 1, self._settings.probe_s, self._settings.probe_cap_s
        )
        return ceiling / 2 + self._rng.uniform(0.0, 1.0) * ceiling / 2

    async def _look(self) -> None:
        if HoldName.THROTTLED in self._holds:
            if self._asks_first:
                await self._probe()
            else:
                await self._unthrottle()
        elif any(name in self._holds for name in PROBED):
            await self._probe()
        else:
            self._suspects = False
            await self._raise_if(await self._identity.reviewed())

    async def _unthrottle(self) -> None:
        """The wait is over, unless it was prolonged while TFE was being asked."""
        over = self._throttled_until <= self._clock.monotonic()
        if HoldName.THROTTLED in self._holds and over:
            self._asks_first = False
            await self.lift(HoldName.THROTTLED)

    async def _raise_if(self, request: HoldRequest | None) -> None:
        if request is not None:
            self.raised(request)
            await self._store.raise_hold(request.name, request.reason, request.until)

    async def _probe(self) -> None:
        """One gentle request that a paused TFE refuses: discovery would prove nothing."""
        self._probes += 1
        verdict = await self._sender.ask(reads.probe(), "probe")
        trouble = self._identity.trouble(verdict, self._probes)
        if trouble is None:
            trouble = await self._identity.compared(verdict)
        self._probe_at = None
        if trouble is not None and trouble.name is not HoldName.FOREIGN:
            await self._still(trouble)
            return
        await self._raise_if(trouble)
        if HoldName.DOWN in self._holds:
            self._pacer.slow_start()
        for name in PROBED:
            if name in self._holds:
                await self.lift(name)
        await self._unthrottle()

    async def _still(self, trouble: HoldRequest) -> None:
        """The probe failed: what stands is what it says now, or what the admin API knows of it."""
        trouble = explained(trouble, self._site)
        if trouble.name is HoldName.THROTTLED:
            self._pacer.slow_down()
            await self._raise_if(trouble)
            return
        known = self._holds.get(trouble.name)
        if known is None or (self._site is not None and known.reason != trouble.reason):
            site = self._site
            await self._raise_if(trouble)
            self._site = site
        for other in PROBED:
            if other is not trouble.name and other in self._holds:
                await self.lift(other)
        await self._unthrottle()

    async def told(self, state: SiteState | None) -> None:
        """The admin API said how SCIM stands: a hold is named right, a resume is probed at once."""
        resumed = state is SiteState.RUNNING and self._site is not state
        self._site = state
        name = questioned(self._holds)
        if name is not None and resumed:
            self._probe_at = self._clock.monotonic()
            self._news.set()
        elif name is not None and state is not None:
            await self._still(HoldRequest(name, self._holds[name].reason))

    async def troubled(self) -> HoldRequest | None:
        """Whether TFE is in trouble as a whole, by a probe: the hold that says so, or None."""
        return self._identity.trouble(await self._sender.ask(reads.probe(), "probe"))
