"""Identity providers' tokens as operators see them: label, last use, end; never token or hash.

Last use is noted in memory by the front and kept once a minute at most, so that no request costs a
write; a crash forgets a minute of it. It is kept under a fingerprint of the hash, which tells
nobody anything.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from typing import TYPE_CHECKING, Final

import structlog

from relay.errors import Unavailable
from relay.settings.tokens import told
from relay.store.compare.binding import note
from relay.telemetry import events

if TYPE_CHECKING:
    from relay.clock import Clock
    from relay.front.auth import LiveToken, TokenTable
    from relay.rules.types import Json, JsonObject
    from relay.store import Store
    from relay.telemetry.front_metrics import FrontMetrics

log = structlog.get_logger(__name__)

EVERY_S: Final = 60.0
NOTE: Final = "tokens last used"
DAY_S: Final = 86_400.0


class TokenUse:
    """Keeps when each token was last used, and measures how long the next one lasts.

    Args:
        tokens: the live tokens.
        store: where it is kept.
        metrics: told of the next end.
        clock: time.
    """

    def __init__(
        self, tokens: TokenTable, store: Store, metrics: FrontMetrics, clock: Clock
    ) -> None:
        self._tokens = tokens
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._kept: dict[str, float] = {}

    async def load(self) -> None:
        """Take up what an earlier process kept."""
        self._kept = json.loads(await self._store.noted(NOTE) or "{}")
        for one in self._tokens.tokens:
            one.last_used = self._kept.get(_fingerprint(one))
        self.measure()

    async def run(self) -> None:
        """Keep it once a minute, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            self.measure()
            await self.keep()

    def measure(self) -> None:
        """Tell how long it is until the next token ends."""
        ends = [one.known.ends for one in self._tokens.tokens if one.known.ends is not None]
        self._metrics.token_ends(min(ends, default=math.inf) - self._clock.wall())

    async def keep(self) -> None:
        """Write it down if a token was used since; a disk in trouble is tried again later."""
        used = {
            _fingerprint(one): one.last_used
            for one in self._tokens.tokens
            if one.last_used is not None
        }
        if used == self._kept:
            return
        try:
            await self._store.run(lambda tx: note(tx, NOTE, json.dumps(used)))
            self._kept = used
        except Unavailable as error:
            log.warning(events.STORE_TROUBLE, reason=error.detail)


def _fingerprint(token: LiveToken) -> str:
    return hashlib.sha256(b"last use of " + token.digest).hexdigest()[:16]


def tokens_told(tokens: TokenTable, now: float) -> list[JsonObject]:
    """Every token: whose, its label or its place in the list, when it was last used and ends."""
    rows: list[JsonObject] = []
    for connection in tokens.connections:
        mine = [one for one in tokens.tokens if one.connection is connection]
        rows += [
            {
                "connection": connection.name,
                "token": one.known.label or f"#{place}",
                "last_used": _moment(one.last_used),
                "ends": _moment(one.known.ends),
                "days_left": _days(one.known.ends, now),
            }
            for place, one in enumerate(mine, start=1)
        ]
    return rows


def _moment(at: float | None) -> Json:
    return None if at is None else told(at)


def _days(ends: float | None, now: float) -> Json:
    return None if ends is None else round((ends - now) / DAY_S, 1)
