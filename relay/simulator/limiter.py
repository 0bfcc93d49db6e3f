"""The rate limit on Users and Groups together, counted at arrival.

Everything that arrives at these endpoints counts, whatever becomes of it (401, 403, 404 too);
discovery does not. Whether a request that was itself answered 429 uses up budget is a choice.
"""

from __future__ import annotations

import math
from collections import deque
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

from relay.simulator.behaviour import RateLimit, RetryForm, Window
from relay.simulator.errors import ScimError

if TYPE_CHECKING:
    from relay.clock import Clock

WINDOW_S: Final = 1.0


class Limiter:
    """Admits at most `limit.rate` requests in any window; the window is half-open."""

    def __init__(self, clock: Clock, limit: RateLimit) -> None:
        self._clock = clock
        self._limit = limit
        self._arrivals: deque[float] = deque()

    @property
    def limit(self) -> RateLimit:
        """The limit in force."""
        return self._limit

    def change(self, limit: RateLimit) -> None:
        """Another limit from now on; what was counted is forgotten."""
        self._limit = limit
        self._arrivals.clear()

    def admit(self) -> None:
        """Count a request that arrives now.

        Raises:
            ScimError: 429, with `Retry-After` in the chosen form.
        """
        if self._limit.rate == 0:
            return
        now = self._clock.monotonic()
        self._forget(now)
        if len(self._arrivals) < self._limit.rate:
            self._arrivals.append(now)
            return
        if self._limit.count_refused:
            self._arrivals.popleft()
            self._arrivals.append(now)
        raise ScimError(429, "rate limit exceeded", headers=self._retry_after(now))

    def _forget(self, now: float) -> None:
        while self._arrivals and not self._same_window(self._arrivals[0], now):
            self._arrivals.popleft()

    def _same_window(self, then: float, now: float) -> bool:
        if self._limit.window is Window.FIXED:
            return math.floor(then) == math.floor(now)
        return now - then < WINDOW_S

    def _retry_after(self, now: float) -> dict[str, str]:
        if self._limit.window is Window.FIXED:
            wait_s = math.floor(now) + WINDOW_S - now
        else:
            wait_s = self._arrivals[0] + WINDOW_S - now
        return retry_after(self._limit.retry_after, wait_s, self._clock)


def retry_after(form: RetryForm, wait_s: float, clock: Clock) -> dict[str, str]:
    """The `Retry-After` header for a wait, rounded up to whole seconds, at least one."""
    match form:
        case RetryForm.NONE:
            return {}
        case RetryForm.SECONDS:
            return {"Retry-After": str(max(1, math.ceil(wait_s)))}
        case RetryForm.DATE:
            return {"Retry-After": formatdate(math.ceil(clock.wall() + wait_s), usegmt=True)}
