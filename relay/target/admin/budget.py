"""Decides when a request to the admin API may leave: never more than TFE takes in any window.

TFE counts arrivals; we know when a request left and when its answer came, and that it arrived
between the two. A request may leave once fewer than the limit are under way or ended less than a
window ago: then no window as TFE sees it can hold more, however long the network takes. Must be
given no clock but the event loop's (L6).

No `Retry-After` is promised here: a 429 is waited for by `X-RateLimit-Reset`, in seconds with a
fraction, and without it by doubling from one second (contract, last section).
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MAX_WAIT_S: Final = 120.0
"""Longest wait after one 429: twice the longest window there is."""

_SURE_S: Final = 1e-3
"""Added to a window, so that rounding opens no slot too early."""

_DUST_S: Final = 1e-5
"""Less is not worth a sleep; in virtual time it would never end (libraries P5)."""

_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")


class Budget:
    """Slots for requests, in the order they were asked for.

    Must be constructed in a running event loop: the first slot comes one whole window after that,
    because a process before this one may have used up the window.

    Args:
        limit: requests in any window.
        window_s: how long a window is.
    """

    def __init__(self, limit: int, window_s: float) -> None:
        self._limit = limit
        self._window_s = window_s + _SURE_S
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        self._under_way = 0
        self._ended: deque[float] = deque()
        self._changed = asyncio.Event()
        self._not_before = self._loop.time() + self._window_s
        self._refusals = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a slot; the block is the request, from before it leaves to its answer."""
        async with self._turn:
            while not self._is_free():
                await self._wait()
            self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            self._ended.append(self._loop.time())
            self._changed.set()

    def refused(self, reset: str | None) -> None:
        """TFE answered 429: give no slot before the time it named, or else a growing one.

        Args:
            reset: `X-RateLimit-Reset` as it stands, or None.
        """
        wait_s = float(reset) if reset is not None and _NUMBER.fullmatch(reset.strip()) else 0.0
        if wait_s <= 0:
            wait_s = 2.0**self._refusals
        self._refusals += 1
        until = self._loop.time() + min(wait_s, MAX_WAIT_S) + _SURE_S
        self._not_before = max(self._not_before, until)

    def served(self) -> None:
        """TFE answered anything but 429: the next refusal begins at one second again."""
        self._refusals = 0

    def _is_free(self) -> bool:
        now = self._loop.time() + _DUST_S
        while self._ended and now - self._ended[0] >= self._window_s:
            self._ended.popleft()
        return now >= self._not_before and self._under_way + len(self._ended) < self._limit

    async def _wait(self) -> None:
        """Until a slot may have become free: by time, or because a request came to its end."""
        opens = self._ended[0] + self._window_s if self._ended else math.inf
        full = self._under_way + len(self._ended) >= self._limit
        due = max(self._not_before, opens) if full else self._not_before
        self._changed.clear()
        try:
            async with asyncio.timeout(None if due == math.inf else due - self._loop.time()):
                await self._changed.wait()
        except TimeoutError:
            return


@dataclass(frozen=True, slots=True)
class Budgets:
    """One budget for each limit of TFE's (contract, *Limits*); 30 a second is its general one."""

    api: Budget = field(default_factory=lambda: Budget(30, 1.0))
    settings: Budget = field(default_factory=lambda: Budget(20, 1.0))
    links: Budget = field(default_factory=lambda: Budget(10, 60.0))
