"""Keeps when each token of an identity provider was last used, and tells when the next one ends.

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
from relay.store.compare.binding import note
from relay.telemetry import events

if TYPE_CHECKING:
    from relay.clock import Clock
    from relay.front.auth import LiveToken, TokenTable
    from relay.store import Store
    from relay.telemetry.front_metrics import FrontMetrics

log = structlog.get_logger(__name__)

EVERY_S: Final = 60.0
NOTE: Final = "tokens last used"


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
