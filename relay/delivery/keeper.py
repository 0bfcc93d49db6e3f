"""Holds while they stand: when to probe, what a probe says, when they go (design, *Holds*).

`throttled` goes with time; `paused`, `token` and `down` go when a gentle probe succeeds, and
whatever was held is then sent in order. After `paused` and `token`, and after several bound ids
were unknown, TFE is asked whether it is still the one this database was filled from: if not,
`foreign` is raised and only an operator ends it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from relay.errors import MaybeSent, NotSent
from relay.rules import backoff, reads
from relay.rules.types import Kind
from relay.rules.verdict import Answered, Outcome, Sent, Verdict, judge
from relay.store.holds import Hold, HoldName
from relay.store.settling import HoldRequest
from relay.telemetry import events

if TYPE_CHECKING:
    from relay.clock import Clock, Rng
    from relay.delivery.dispatcher import DeliverySettings
    from relay.delivery.ports import Target
    from relay.pace import Pacer
    from relay.rules.planner_types import Request
    from relay.store import Store

log = structlog.get_logger(__name__)

PROBED: Final = (HoldName.PAUSED, HoldName.TOKEN, HoldName.DOWN)
_OF_OUTCOME: Final = {
    Outcome.PAUSED: HoldName.PAUSED,
    Outcome.TOKEN: HoldName.TOKEN,
}


class Keeper:
    """Keeps the holds, in memory as in the store.

    Args:
        store: where they last.
        target: whom to probe.
        pacer: probes are requests like any other.
        settings: how gently.
        clock: time.
        rng: jitter.
    """

    def __init__(
        self,
        store: Store,
        target: Target,
        pacer: Pacer,
        settings: DeliverySettings,
        clock: Clock,
        rng: Rng,
    ) -> None:
        self._store = store
        self._target = target
        self._pacer = pacer
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._holds: dict[HoldName, Hold] = {}
        self._news = asyncio.Event()
        self._changes = asyncio.Event()
        self._probes = 0

    @property
    def blocked(self) -> bool:
        """Whether nothing may be sent."""
        return bool(self._holds)

    @property
    def unreadable(self) -> bool:
        """Whether TFE may not even be read; a restored database is compared with it."""
        return bool(self._holds.keys() - {HoldName.RESTORED})

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
        self._holds = {hold.name: hold for hold in await self._store.holds()}

    def raised(self, request: HoldRequest) -> None:
        """A result raises a hold; the store records it with that result."""
        known = self._holds.get(request.name)
        since = known.since if known else self._clock.wall()
        self._holds[request.name] = Hold(request.name, since, request.until, request.reason)
        if known is None:
            self._probes = 0
            log.warning(events.HOLD_RAISED, hold=request.name.value, reason=request.reason)
        self._store.directory.give_up()
        self._news.set()
        self._tell()

    async def raise_hold(self, name: HoldName, reason: str) -> None:
        """Raise a hold outside of any result."""
        self.raised(HoldRequest(name, reason))
        await self._store.raise_hold(name, reason)

    async def lift(self, name: HoldName, actor: str = "relay") -> None:
        """Lift a hold; delivery goes on if it was the last."""
        hold = self._holds.pop(name, None)
        await self._store.lift(name, actor)
        if hold is not None:
            stood = self._clock.wall() - hold.since
            log.info(events.HOLD_LIFTED, hold=name.value, stood_s=round(stood, 1))
        self._store.work.set()
        self._tell()

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
        waits = []
        throttled = self._holds.get(HoldName.THROTTLED)
        if throttled is not None:
            # An end that wall time moved out of reach ends within an hour all the same (L6).
            waits.append(min(max((throttled.until or 0) - self._clock.wall(), 0.0), 3600.0))
        if any(name in self._holds for name in PROBED):
            waits.append(self._probe_wait_s())
        return min(waits) if waits else None

    def _probe_wait_s(self) -> float:
        ceiling = backoff.ceiling_s(
            self._probes + 1, self._settings.probe_s, self._settings.probe_cap_s
        )
        return ceiling / 2 + self._rng.uniform(0.0, 1.0) * ceiling / 2

    async def _look(self) -> None:
        throttled = self._holds.get(HoldName.THROTTLED)
        if throttled is not None and (throttled.until or 0) <= self._clock.wall():
            await self.lift(HoldName.THROTTLED)
        if HoldName.THROTTLED in self._holds:
            return
        if any(name in self._holds for name in PROBED):
            await self._probe()

    async def _probe(self) -> None:
        """One gentle request that a paused TFE refuses: discovery would prove nothing."""
        self._probes += 1
        verdict = await self._ask(reads.probe())
        if verdict.outcome is not Outcome.DELIVERED:
            await self._still(verdict)
            return
        hold = await self._other_target(verdict, 0)
        if hold is not None:
            await self.raise_hold(hold.name, hold.reason)
            if hold.name is not HoldName.FOREIGN:
                return
        self._probes = 0
        if HoldName.DOWN in self._holds:
            self._pacer.slow_start()
        for name in PROBED:
            if name in self._holds:
                await self.lift(name)
        self._store.work.set()

    async def _still(self, verdict: Verdict) -> None:
        """The probe failed: what stands is what it says now."""
        if verdict.outcome is Outcome.THROTTLED:
            self._pacer.slow_down()
            wait_s = verdict.retry_after_s or backoff.ceiling_s(self._probes)
            until = self._clock.wall() + wait_s
            self.raised(HoldRequest(HoldName.THROTTLED, verdict.detail or "429", until))
            await self._store.raise_hold(HoldName.THROTTLED, verdict.detail or "429", until)
            return
        name = _OF_OUTCOME.get(verdict.outcome, HoldName.DOWN)
        reason = f"{verdict.status or 'no answer'}: {verdict.detail}"
        if name not in self._holds:
            await self.raise_hold(name, reason)
        for other in PROBED:
            if other is not name and other in self._holds:
                await self.lift(other)

    async def foreign(self, but: int) -> HoldRequest | None:
        """A bound id is unknown to TFE: is it that resource alone, or another TFE (K5)?

        Args:
            but: the resource in question, not asked for again.

        Returns:
            The hold to raise, `foreign` or whatever keeps TFE from answering, so that nothing is
            unlearnt in doubt; None if TFE knows others of ours.
        """
        verdict = await self._ask(reads.probe())
        if verdict.outcome is not Outcome.DELIVERED:
            return _unanswered(verdict)
        return await self._other_target(verdict, but)

    async def _other_target(self, verdict: Verdict, but: int) -> HoldRequest | None:
        """Whether the TFE that answered this probe is another than the one we know."""
        known = await self._store.binding(but)
        if not known.users:
            return None
        if (verdict.resource or {}).get("totalResults") == 0:
            seen = f"TFE lists no users, but {known.users} or more are known: wiped or replaced"
            return HoldRequest(HoldName.FOREIGN, seen)
        for target in known.sample:
            asked = await self._ask(reads.by_id(Kind.USER, target))
            if asked.outcome is Outcome.DELIVERED:
                return None
            if asked.outcome is not Outcome.MISSING:
                return _unanswered(asked)
        if not known.sample:
            return None
        seen = f"TFE knows none of the ids {', '.join(known.sample)}: wiped or replaced"
        return HoldRequest(HoldName.FOREIGN, seen)

    async def _ask(self, request: Request) -> Verdict:
        await self._pacer.acquire()
        outcome: Answered | NotSent | MaybeSent
        try:
            outcome = await self._target.send(request, "probe")
        except (NotSent, MaybeSent) as error:
            outcome = error
        return judge(Sent.of(request), outcome)


def _unanswered(verdict: Verdict) -> HoldRequest:
    """The hold for a question that TFE did not answer."""
    name = _OF_OUTCOME.get(verdict.outcome, HoldName.DOWN)
    return HoldRequest(name, f"{verdict.status or 'no answer'}: {verdict.detail}")
