"""When holds are looked at, what a probe says, and when they go (design, *Holds*).

`throttled` goes with time; `paused`, `token` and `down` go when a gentle probe succeeds, and
whatever was held is then sent in order. With each probe that succeeds TFE is asked whether it is
still the one this database was filled from: if not, `foreign` is raised and only an operator ends
it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from relay.delivery.explaining import explained, questioned
from relay.rules import backoff, reads
from relay.store.deliver.settling import HoldRequest
from relay.store.state.holds import HoldName
from relay.target.admin import SiteState

if TYPE_CHECKING:
    from relay.clock import Clock, Rng
    from relay.delivery.dispatcher import DeliverySettings
    from relay.delivery.holds import Holds
    from relay.delivery.identity import Identity
    from relay.delivery.sender import Sender
    from relay.pace import Pacer

PROBED: Final = (HoldName.PAUSED, HoldName.TOKEN, HoldName.DOWN)


class Keeper:
    """Lifts the holds that need no operator.

    Args:
        holds: that stand.
        sender: probes TFE; probes are requests like any other.
        identity: whether TFE is still ours.
        pacer: its rate, which trouble lowers.
        settings: how gently.
        clock: time.
        rng: jitter.

    Attributes:
        holds: that stand.
    """

    def __init__(
        self,
        holds: Holds,
        sender: Sender,
        identity: Identity,
        pacer: Pacer,
        settings: DeliverySettings,
        clock: Clock,
        rng: Rng,
    ) -> None:
        self.holds = holds
        self._sender = sender
        self._identity = identity
        self._pacer = pacer
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._news = asyncio.Event()
        self._probes = 0
        self._probe_at: float | None = None
        self._suspects = False
        self._site: SiteState | None = None
        holds.when_raised = self._look_anew

    def _look_anew(self) -> None:
        self._site = None
        self._news.set()

    def next_look_s(self, name: HoldName) -> float | None:
        """Seconds until a hold is looked at again, 0 while it is; None: an operator ends it."""
        if name not in self.holds:
            return None
        if name is HoldName.THROTTLED:
            return self.holds.throttled_s
        if name not in PROBED:
            return None
        now = self._clock.monotonic()
        return max(0.0, (self._probe_at or now) - now, self.holds.throttled_s)

    def succeeded(self) -> None:
        """A write reached TFE: the next trouble is probed as soon as the first was."""
        self._probes = 0

    def suspect(self) -> None:
        """Resources are created on a TFE that long has not proved to be ours: have it asked."""
        self._suspects = True
        self._news.set()

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
        if HoldName.THROTTLED in self.holds:
            return self.holds.throttled_s
        if any(name in self.holds for name in PROBED):
            now = self._clock.monotonic()
            if self._probe_at is None:
                self._probe_at = now + self._probe_wait_s()
            return max(self._probe_at - now, 0.0)
        return 0.0 if self._suspects and not self.holds.blocked else None

    def _probe_wait_s(self) -> float:
        ceiling = backoff.ceiling_s(
            self._probes + 1, self._settings.probe_s, self._settings.probe_cap_s
        )
        return ceiling / 2 + self._rng.uniform(0.0, 1.0) * ceiling / 2

    async def _look(self) -> None:
        if HoldName.THROTTLED in self.holds:
            if self.holds.asks_first:
                await self._probe()
            else:
                await self._unthrottle()
        elif any(name in self.holds for name in PROBED):
            await self._probe()
        else:
            self._suspects = False
            await self._raise_if(await self._identity.reviewed())

    async def _unthrottle(self) -> None:
        """The wait is over, unless it was prolonged while TFE was being asked."""
        if HoldName.THROTTLED in self.holds and self.holds.throttled_s == 0:
            self.holds.asks_first = False
            await self.holds.lift(HoldName.THROTTLED)

    async def _raise_if(self, request: HoldRequest | None) -> None:
        if request is not None:
            await self.holds.raise_now(request)

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
        if HoldName.DOWN in self.holds:
            self._pacer.slow_start()
        for name in PROBED:
            if name in self.holds:
                await self.holds.lift(name)
        await self._unthrottle()

    async def _still(self, trouble: HoldRequest) -> None:
        """The probe failed: what stands is what it says now, or what the admin API knows of it."""
        trouble = explained(trouble, self._site)
        if trouble.name is HoldName.THROTTLED:
            self._pacer.slow_down()
            await self._raise_if(trouble)
            return
        known = self.holds.get(trouble.name)
        if known is None or (self._site is not None and known.reason != trouble.reason):
            site = self._site
            await self._raise_if(trouble)
            self._site = site
        for other in PROBED:
            if other is not trouble.name and other in self.holds:
                await self.holds.lift(other)
        await self._unthrottle()

    async def told(self, state: SiteState | None) -> None:
        """The admin API said how SCIM stands: a hold is named right, a resume is probed at once."""
        resumed = state is SiteState.RUNNING and self._site is not state
        self._site = state
        name = questioned(self.holds)
        hold = None if name is None else self.holds.get(name)
        if hold is not None and resumed:
            self._probe_at = self._clock.monotonic()
            self._news.set()
        elif hold is not None and state is not None:
            await self._still(HoldRequest(hold.name, hold.reason))

    async def troubled(self) -> HoldRequest | None:
        """Whether TFE is in trouble as a whole, by a probe: the hold that says so, or None."""
        return self._identity.trouble(await self._sender.ask(reads.probe(), "probe"))
