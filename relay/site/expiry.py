"""When the SCIM token ends by the configuration, for as long as the admin API does not tell.

TFE tells the end of a token once, when it is made, and never warns (contract, *States an operator
can put TFE in*): whoever has no admin token writes it down in `target.token_expires`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from relay.settings.tokens import told
from relay.site.findings import DAY_S, TOKEN_WARN_DAYS, Finding, Trouble

if TYPE_CHECKING:
    from relay.clock import Clock
    from relay.rules.types import JsonObject
    from relay.site.announcing import Announcer

EVERY_S: Final = 60.0
CONFIGURED: Final = "configured"
"""Stands where the admin API's id of a token stands."""


class ConfiguredEnd:
    """`target.token_expires` as it was last read.

    Attributes:
        at: seconds since the epoch, or None.
    """

    def __init__(self, at: float | None) -> None:
        self.at = at

    def findings(self, now: float) -> list[Finding]:
        """That it ends soon, or has ended; told again at each of the admin API's thresholds."""
        if self.at is None:
            return []
        left = (self.at - now) / DAY_S
        limit = next((days for days in TOKEN_WARN_DAYS if left <= days), None)
        if limit is None:
            return []
        ends = f"ends in {left:.1f} days" if left > 0 else f"ended on {told(self.at)}"
        return [
            Finding(
                Trouble.TOKEN_ENDS,
                f"{CONFIGURED} at {limit} days",
                f"the SCIM token in target.token_file {ends}, by target.token_expires",
                "make another one in TFE, write it to target.token_file and its end to"
                " target.token_expires, then `scim-relay reload`",
                urgent=limit == TOKEN_WARN_DAYS[0],
            )
        ]

    def left(self, now: float) -> dict[str, float]:
        """Seconds left, for the metric."""
        return {} if self.at is None else {CONFIGURED: self.at - now}

    def shown(self, now: float) -> JsonObject | None:
        """For `status`."""
        if self.at is None:
            return None
        return {"ends": told(self.at), "days_left": round((self.at - now) / DAY_S, 1)}

    async def run(self, announcer: Announcer, clock: Clock) -> None:
        """Tell of it once a minute, until cancelled: for who has no admin API."""
        while True:
            now = clock.wall()
            announcer.tell(self.findings(now), self.left(now))
            await asyncio.sleep(EVERY_S)
