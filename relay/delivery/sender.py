"""One request to TFE in the slot it was given, and what its answer means.

Deliveries, probes, look-ups and the import share it, so that each is paced, measured and judged in
the same way. It decides nothing: what follows from a verdict is its caller's.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from relay.errors import MaybeSent, NotSent
from relay.rules.verdict import Sent, Verdict, judge

if TYPE_CHECKING:
    from relay.clock import Clock
    from relay.delivery.ports import Target, TargetMetrics
    from relay.pace import Pacer, Slot
    from relay.rules.planner_types import Request
    from relay.rules.verdict import Answered


ASKING: Final = 4
"""Reads under way at once, over connections of their own: no slot waits for a connection."""


class Sender:
    """Sends requests to TFE.

    Args:
        target: TFE.
        pacer: gives slots.
        clock: time.
        metrics: what is counted.
    """

    def __init__(self, target: Target, pacer: Pacer, clock: Clock, metrics: TargetMetrics) -> None:
        self._target = target
        self._pacer = pacer
        self._clock = clock
        self._metrics = metrics
        self._asking = asyncio.Semaphore(ASKING)
        self.in_flight = 0
        """Requests under way."""

    async def ask(self, request: Request, name: str) -> Verdict:
        """Wait for a slot and send a read in it; `name` is its `X-Request-Id`."""
        async with self._asking:
            return await self.send(await self._pacer.reserve(), request, name)

    async def send(self, slot: Slot, request: Request, name: str) -> Verdict:
        """Send a request in a slot; `name` is its `X-Request-Id`."""
        began = self._clock.monotonic()
        outcome: Answered | NotSent | MaybeSent
        self.in_flight += 1
        try:
            outcome = await self._target.send(request, name, slot.left)
        except NotSent as error:
            slot.unused()
            outcome = error
        except MaybeSent as error:
            outcome = error
        finally:
            self.in_flight -= 1
            slot.left()  # in doubt it left: a slot that was never said to end would stay open
        verdict = judge(Sent.of(request), outcome)
        took_s = self._clock.monotonic() - began
        self._metrics.observe(request.method, verdict.status, took_s)
        return verdict
