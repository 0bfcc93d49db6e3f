"""Decides when a request may leave: never more than the target's rate in any second (D9, H1).

In charge of the one stream of slots that deliveries, retries, probes and reads share. It must
never know what is sent, nor read anything but the event loop's monotonic time (L6).

How the spacing follows from the rate. TFE counts arrivals; we control departures. With slots
`s` apart, request `i + R` leaves `R * s` after request `i`. The earlier may be late on the wire by
up to `jitter`, the later not at all, so they arrive at least `R * s - jitter` apart. They are in
no common second if that is one second or more: `s = (1 + jitter) / R`. At 10 a second and 40 ms
that is 104 ms, 96 % of the rate. A rate that is not whole is rounded down first, since 9.5 in any
second means 9.

A request may leave long after its slot was given: a new connection has to be made first, which
over TLS takes three round trips (H1 wants warm connections, but after idleness there are none). So
a slot is *open* until its request's first byte leaves, and counts for the second before that byte,
not for the second of the grant: no slot is given while open slots and the requests that left within
`1 + jitter` seconds make up the rate. Proof: of R + 1 requests that left within that time take the
one whose slot was given last; the others had left or were open by then, so it was not given.

The spacing's window is asyncio-throttle's, one acquisition each spacing. Alone it would poll and
let late comers overtake, so it stands behind one FIFO lock, and whoever holds that sleeps until
the slot is due.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import TYPE_CHECKING, Final

from asyncio_throttle.throttler import Throttler

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW_S: Final = 1.0
"""Over which the target counts."""

JITTER_S: Final = 0.040
"""Network delay that may differ between two requests without breaking the promise (H1)."""

_SURE_S: Final = 5e-5
"""Added to each spacing, so that the window, which wants *more* than it, opens without polling."""

_DUST_S: Final = 1e-5
"""Less is not worth a sleep; in virtual time it would never end (libraries P5)."""

_DECREASE: Final = 0.5
"""What a 429 leaves of the rate: TCP's own factor (RFC 5681 section 3.1)."""

_RECOVERY_S: Final = 20.0
"""Seconds of undisturbed success that take the rate from nothing to the configured one."""

_SLOW_START: Final = 0.1
"""Share of the rate that a target which was down is met with."""


class Slot:
    """Leave to send one request at once; open until it is said what became of it.

    Args:
        ended: told once, whether the request's bytes left.
    """

    __slots__ = ("_ended",)

    def __init__(self, ended: Callable[[bool], None]) -> None:
        self._ended: Callable[[bool], None] | None = ended

    def left(self) -> None:
        """The request's first byte leaves now; no effect once the slot has ended."""
        self._end(left=True)

    def unused(self) -> None:
        """Nothing left and nothing will; no effect once the slot has ended."""
        self._end(left=False)

    def _end(self, *, left: bool) -> None:
        if self._ended is not None:
            self._ended(left)
            self._ended = None


class Pacer:
    """Slots for requests, in the order they were asked for.

    Must be constructed in a running event loop: the first slot comes one whole window after that,
    because a process before this one may have used up the window (D9, across restarts).

    Args:
        rate: requests in any second, more than 0; rounded down from 1 on.
        jitter_s: see the module's docstring.

    Raises:
        ValueError: the rate is not a positive number.
    """

    def __init__(self, rate: float, *, jitter_s: float = JITTER_S) -> None:
        if not (rate > 0 and math.isfinite(rate)):
            raise ValueError(f"cannot pace at {rate} requests per second")
        self._configured = float(math.floor(rate)) if rate >= 1 else rate
        self._lowest = min(1.0, self._configured)
        self._effective = self._configured
        self._jitter_s = jitter_s
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        self._window = Throttler(1, self.spacing_s, 0.001)
        self._last: float | None = None
        self._open = 0
        self._left: deque[float] = deque()
        self._ended = asyncio.Event()
        self._slowed_at = -math.inf
        self._not_before = self._loop.time() + WINDOW_S + jitter_s

    @property
    def rate(self) -> float:
        """Requests per second granted now; the configured rate unless the target complained."""
        return self._effective

    @property
    def configured(self) -> float:
        """Requests per second granted while the target does not complain."""
        return self._configured

    @property
    def spacing_s(self) -> float:
        """Seconds between two slots at the present rate."""
        if self._configured < 1:
            return WINDOW_S / self._effective + self._jitter_s
        return (WINDOW_S + self._jitter_s) / self._effective

    @property
    def paused_until(self) -> float:
        """The loop's time before which no slot is given, by pause or start; may be past."""
        return self._not_before

    async def reserve(self) -> Slot:
        """Wait for a slot; it stays open until its request has left, or will not.

        Slots are given in the order of asking. A waiter that is cancelled has spent nothing.
        """
        async with self._turn:
            # A pause or a slower rate may come while this sleeps: look again each time.
            while (wait_s := self._wait_s()) is None or wait_s > _DUST_S:
                await self._ending_or(wait_s)
            self._window.period = self.spacing_s
            await self._window.acquire()  # type: ignore[no-untyped-call]  # it is untyped
            self._last = self._loop.time()
            self._open += 1
            return Slot(self._end)

    async def acquire(self) -> None:
        """Wait for a slot and spend it: for who sends at once, on a connection that is open."""
        (await self.reserve()).left()

    def pause_until(self, loop_time: float) -> None:
        """Give no slot before this time of the loop; a pause already longer stands."""
        self._not_before = max(self._not_before, loop_time)

    def slow_down(self) -> None:
        """The target answered 429: halve the rate, to 1 per second at least.

        Further 429s within a window answer requests that were already on their way, and tell
        nothing new.
        """
        now = self._loop.time()
        if now - self._slowed_at >= WINDOW_S:
            self._slowed_at = now
            self._effective = max(self._lowest, self._effective * _DECREASE)

    def slow_start(self) -> None:
        """The target is back after an outage: begin at a tenth of the rate, 1 per second at least.

        Successes then raise it, as after a 429.
        """
        gentle = max(self._lowest, self._configured * _SLOW_START)
        self._effective = min(self._effective, gentle)

    def recovered(self) -> None:
        """The target answered as it should: raise the rate by its share of a linear recovery.

        Each success adds in proportion to the time one slot took, so that the rate grows by the
        same amount each second whatever it is.
        """
        step = self._configured / _RECOVERY_S / self._effective
        self._effective = min(self._configured, self._effective + step)

    def _wait_s(self) -> float | None:
        """Seconds until the next slot; None while only the end of an open one can tell."""
        now = self._loop.time()
        return None if (due := self._due(now)) is None else due - now

    def _due(self, now: float) -> float | None:
        """The loop's time of the next slot."""
        span_s = WINDOW_S + self._jitter_s
        while self._left and self._left[0] + span_s - now <= _DUST_S:
            self._left.popleft()
        due = self._not_before
        if self._last is not None:
            due = max(due, self._last + self.spacing_s + _SURE_S)
        excess = self._open + len(self._left) + 1 - max(1, int(self._configured))
        if excess <= 0:
            return due
        if excess > len(self._left):
            return None
        return max(due, self._left[excess - 1] + span_s)

    async def _ending_or(self, wait_s: float | None) -> None:
        """Sleep for so long, or until an open slot ends if nothing else can help."""
        if wait_s is not None:
            await asyncio.sleep(wait_s)
            return
        self._ended.clear()
        await self._ended.wait()

    def _end(self, left: bool) -> None:
        self._open -= 1
        if left:
            self._left.append(self._loop.time())
        self._ended.set()
