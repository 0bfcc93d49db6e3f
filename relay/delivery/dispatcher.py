"""The one loop that decides what is sent next, and the tasks that send it.

One claim at a time waits for its slot, so that a revocation accepted now is at most one slot
behind (H2). Nor does it wait for a free connection behind slow writes: the last one is kept for
what takes access away. The order is: plan, commit the attempt, acquire the slot, send (H1). The
loop ends when told to and leaves no claim behind; what was sent is settled first (L1).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import structlog

from relay.errors import LaneFault, Unavailable
from relay.rules.verdict import Outcome, Verdict
from relay.store.deliver.claiming import Idle
from relay.store.deliver.quarantine import Fault
from relay.store.deliver.settling import Circumstances
from relay.store.state.claims import Purpose
from relay.telemetry import events

if TYPE_CHECKING:
    from relay.clock import Clock, Rng
    from relay.delivery.health import Health
    from relay.delivery.identity import Identity
    from relay.delivery.keeper import Keeper
    from relay.delivery.ports import TargetMetrics
    from relay.delivery.sender import Sender
    from relay.pace import Pacer, Slot
    from relay.store import Store
    from relay.store.state.claims import Claim

log = structlog.get_logger(__name__)

LONGEST_SLEEP_S: Final = 30.0
"""Due times are wall time, which may jump: no sleep trusts it for longer (L6)."""

RETRY_SETTLE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """How delivery behaves.

    Attributes:
        concurrency: requests under way at once; from 2 on, one of them takes access away.
        timeout_s: `target.timeout`, after which an attempt cannot take effect any more (K2).
        probe_s: first wait before a hold is probed; it doubles up to `probe_cap_s`.
        probe_cap_s: the longest.
    """

    concurrency: int = 10
    timeout_s: float = 60.0
    probe_s: float = 1.0
    probe_cap_s: float = 30.0


class Dispatcher:
    """Sends what the store says is next.

    Args:
        store: the queue.
        sender: sends to TFE.
        pacer: slots.
        keeper: the holds, and when they are looked at.
        identity: whether TFE is still ours.
        health: whose trouble it is.
        settings: how many at once, for how long.
        clock: time.
        rng: jitter.
        metrics: what is counted.
    """

    def __init__(  # noqa: PLR0913 - the parts it joins, each named by its caller
        self,
        *,
        store: Store,
        sender: Sender,
        pacer: Pacer,
        keeper: Keeper,
        identity: Identity,
        health: Health,
        settings: DeliverySettings,
        clock: Clock,
        rng: Rng,
        metrics: TargetMetrics,
    ) -> None:
        self._store = store
        self._sender = sender
        self._pacer = pacer
        self._keeper = keeper
        self._identity = identity
        self._health = health
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._metrics = metrics
        self._stopping = False
        self._turn = 0
        self._under_way = 0
        self._ended = asyncio.Event()
        self.beat = clock.monotonic()
        """When the loop last went round, for liveness."""

    def stop(self) -> None:
        """Send nothing more; what is under way is settled."""
        self._stopping = True
        self._store.work.set()
        self._ended.set()

    async def run(self) -> None:
        """Until `stop` is called."""
        async with asyncio.TaskGroup() as tasks:
            while not self._stopping:
                self.beat = self._clock.monotonic()
                if self._under_way >= self._settings.concurrency:
                    self._ended.clear()
                    await _wait(self._ended, LONGEST_SLEEP_S)
                    continue
                ready = await self._next()
                if ready is not None:
                    self._under_way += 1
                    tasks.create_task(self._deliver(*ready, self._clock.wall()))

    @property
    def _crowded(self) -> bool:
        """Whether but one connection is left: it is kept for what takes access away (H2)."""
        return 1 < self._settings.concurrency == self._under_way + 1

    async def _next(self) -> tuple[Claim, Slot] | None:
        """The next claim with its slot, or None after a wait."""
        self._store.work.clear()
        crowded = self._crowded
        claim = await self._claim(urgent=crowded)
        if isinstance(claim, Idle):
            await self._rest(claim.next_due)
            return None
        self._turn += not crowded  # a fair turn is not spent on what may not be fair
        slot = await self._pacer.reserve()
        if self._stopping or self._keeper.holds.blocked:
            slot.unused()
            await self._store.release(claim)
            return None
        return claim, slot

    async def _claim(self, *, urgent: bool) -> Claim | Idle:
        if self._keeper.holds.blocked:
            return Idle(None)
        try:
            return await self._store.claim(self._turn, urgent=urgent)
        except Unavailable as error:
            log.warning(events.STORE_TROUBLE, reason=error.detail)
            return Idle(self._clock.wall() + RETRY_SETTLE_S)
        except LaneFault as fault:
            await self._charge(fault.__cause__ or fault, fault.resource)
            return Idle(self._clock.wall())

    async def _rest(self, next_due: float | None) -> None:
        wait_s = LONGEST_SLEEP_S
        if next_due is not None:
            wait_s = min(max(next_due - self._clock.wall(), 0.001), LONGEST_SLEEP_S)
        await _wait(self._store.work, wait_s)

    async def _deliver(self, claim: Claim, slot: Slot, slot_at: float) -> None:
        try:
            began = self._clock.monotonic()
            verdict = await self._send(claim, slot)
            self._adjust_rate(verdict)
            verdict, now = await self._judged(claim, verdict, began)
            await self._store.settle(claim, verdict, replace(now, slot_at=slot_at))
        except Exception as error:  # noqa: BLE001 - the boundary of a worker (style rule 8)
            await self._charge(error, claim.resource, claim)
        finally:
            if self._crowded:
                self._store.work.set()  # what is not urgent may go on
            self._under_way -= 1
            self._ended.set()

    async def _charge(
        self, error: BaseException, resource: int, claim: Claim | None = None
    ) -> None:
        """A fault of ours stops one lane for a while, not delivery (D5)."""
        blamed = not isinstance(error, Unavailable)
        if blamed:
            log.error(events.UNEXPECTED_ERROR, where="delivery", exc_info=error)
        else:
            log.warning(events.STORE_TROUBLE, reason=str(error))
        unit = self._rng.uniform(0.0, 1.0)
        await self._store.quarantine(
            Fault(resource, type(error).__name__, claim, charge=blamed, unit=unit)
        )

    async def _send(self, claim: Claim, slot: Slot) -> Verdict:
        began = self._clock.monotonic()
        verdict = await self._sender.send(slot, claim.request, str(claim.attempt))
        log.info(
            events.ATTEMPT_SETTLED,
            attempt=claim.attempt,
            resource=claim.resource,
            method=claim.request.method,
            purpose=claim.purpose.value,
            status=verdict.status,
            verdict=verdict.outcome.value,
            why=claim.why,
            send_s=round(self._clock.monotonic() - began, 4),
        )
        return verdict

    async def _judged(
        self, claim: Claim, verdict: Verdict, began: float
    ) -> tuple[Verdict, Circumstances]:
        """What the result means among the others, and by TFE's word where that leaves a doubt."""
        now = self._circumstances(claim, verdict)
        if now.hold is not None:
            self._keeper.holds.raised(now.hold)
        elif claim.unlearns(verdict):
            now = replace(now, hold=await self._identity.doubted(claim.resource, began))
            if now.hold is not None:
                self._keeper.holds.raised(now.hold)
                verdict = replace(verdict, outcome=Outcome.MISSING)
        elif verdict.outcome is Outcome.FAILED and self._health.repeats_alone(claim.resource):
            # Before this lane is blamed: has TFE begun to fail everybody?
            now = replace(now, hold=await self._keeper.troubled())
            if now.hold is not None:
                self._keeper.holds.raised(now.hold)
                now = replace(now, charge=False)
        elif verdict.outcome is Outcome.DELIVERED:
            self._succeeded(claim)
        return verdict, now

    def _succeeded(self, claim: Claim) -> None:
        if claim.purpose is Purpose.WRITE:
            self._keeper.succeeded()
        if claim.proves:
            self._identity.proved()
        elif claim.request.creates and self._identity.stale:
            self._keeper.suspect()

    def _circumstances(self, claim: Claim, verdict: Verdict) -> Circumstances:
        monotonic, unit = self._clock.monotonic(), self._rng.uniform(0.0, 1.0)
        charge = self._health.others_succeed(claim.resource, monotonic)
        hold = self._health.note(
            claim.resource,
            verdict,
            now_s=monotonic,
            wall_s=self._clock.wall(),
            unit=unit,
            writes=claim.purpose is Purpose.WRITE,
        )
        return Circumstances(charge, unit, self._settings.timeout_s, hold)

    def _adjust_rate(self, verdict: Verdict) -> None:
        """AIMD: others may share TFE's limit; its complaint slows us, success speeds us up."""
        before = self._pacer.rate
        match verdict.outcome:
            case Outcome.THROTTLED:
                self._metrics.throttled()
                self._pacer.slow_down()
            case Outcome.DELIVERED:
                self._pacer.recovered()
            case _:
                return
        if self._pacer.rate != before:
            self._metrics.paced(self._pacer.rate)
            self._tell_rate(before)

    def _tell_rate(self, before: float) -> None:
        """A line when the rate falls and when it is whole again, not for each step up."""
        if self._pacer.rate < before:
            log.warning(events.RATE_CHANGED, rate=self._pacer.rate, reason="throttled")
        elif self._pacer.rate == self._pacer.configured:
            log.info(events.RATE_CHANGED, rate=self._pacer.rate, reason="recovered")


async def _wait(event: asyncio.Event, most_s: float) -> None:
    """Wait for an event, for so long at most: the loop goes round, and says that it does (L10)."""
    try:
        async with asyncio.timeout(most_s):
            await event.wait()
    except TimeoutError:
        return
