"""The admin API's own budgets, counted at arrival for each caller.

20 a second for `scim-settings`, 10 a minute for team links of one site administrator (contract,
*Limits*), 30 a second for all else. No `Retry-After` is promised; `X-RateLimit-*` is what
HashiCorp's client looks at, `X-RateLimit-Reset` in seconds from now, a float.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from relay.simulator.errors import ScimError

if TYPE_CHECKING:
    from relay.clock import Clock


class Purse(StrEnum):
    """Which budget a request is paid from."""

    API = "api"
    SETTINGS = "settings"
    LINKS = "links"


WINDOW_S: Final = {Purse.API: 1.0, Purse.SETTINGS: 1.0, Purse.LINKS: 60.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminLimits:
    """How many requests each window takes, of one caller; 0 for no limit.

    Attributes:
        api: all endpoints without a limit of their own, in a second.
        settings: `scim-settings`, in a second.
        links: linking, unlinking, pausing, resuming, in a minute.
    """

    api: int = 30
    settings: int = 20
    links: int = 10


class Budgets:
    """Counts requests; a refused one costs nothing."""

    def __init__(self, clock: Clock, limits: AdminLimits) -> None:
        self._clock = clock
        self._limits = limits
        self._arrivals: dict[tuple[Purse, str], deque[float]] = {}

    @property
    def limits(self) -> AdminLimits:
        """The limits in force."""
        return self._limits

    def change(self, limits: AdminLimits) -> None:
        """Other limits from now on; what was counted is forgotten."""
        self._limits = limits
        self._arrivals.clear()

    def spend(self, purse: Purse, caller: str) -> None:
        """Count a request that arrives now.

        Raises:
            ScimError: 429, the window is full.
        """
        limit = self._limit(purse)
        arrivals = self._window(purse, caller)
        if limit and len(arrivals) >= limit:
            raise ScimError(429, "You have exceeded the API's rate limit")
        arrivals.append(self._clock.monotonic())

    def headers(self, purse: Purse, caller: str) -> dict[str, str]:
        """What is left, for the answer; nothing where there is no limit."""
        limit = self._limit(purse)
        if not limit:
            return {}
        arrivals = self._window(purse, caller)
        end = arrivals[0] + WINDOW_S[purse] if arrivals else self._clock.monotonic()
        return {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(limit - len(arrivals)),
            "X-RateLimit-Reset": f"{max(0.0, end - self._clock.monotonic()):.3f}",
        }

    def _limit(self, purse: Purse) -> int:
        limits = {
            Purse.API: self._limits.api,
            Purse.SETTINGS: self._limits.settings,
            Purse.LINKS: self._limits.links,
        }
        return limits[purse]

    def _window(self, purse: Purse, caller: str) -> deque[float]:
        arrivals = self._arrivals.setdefault((purse, caller), deque())
        while arrivals and self._clock.monotonic() - arrivals[0] >= WINDOW_S[purse]:
            arrivals.popleft()
        return arrivals
