"""One log line for each change that ended, and for each revocation that TFE refused.

One request may end 50,000 changes. Their lines are written in portions between which the event
loop does other work, so that no answer and no watchdog waits for them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

import structlog

from relay.store.state.records import ChangeState
from relay.telemetry import events

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relay.store.state.finishing import Finished, Owed
    from relay.telemetry.flow_metrics import FlowMetrics

log = structlog.get_logger(__name__)

PORTION: Final = 100
"""Lines at once: about 3 ms."""


class Finishes:
    """Tells of changes that ended, in order.

    Args:
        metrics: where their times are counted.
    """

    def __init__(self, metrics: FlowMetrics) -> None:
        self._metrics = metrics
        self._untold: deque[Finished] = deque()

    def take(self, finished: Sequence[Finished], owed: Sequence[Owed]) -> None:
        """What a commit ended; called in the event loop."""
        for one in owed:
            log.error(
                events.REVOCATION_OWED,
                change=one.change,
                resource=one.resource,
                status=one.status,
                cure=_see(one.change),
            )
        quiet = not self._untold
        self._untold.extend(finished)
        if quiet:
            self._tell_some()

    def _tell_some(self) -> None:
        for _ in range(min(PORTION, len(self._untold))):
            self._tell(self._untold.popleft())
        if self._untold:
            asyncio.get_running_loop().call_soon(self._tell_some)

    def _tell(self, one: Finished) -> None:
        if one.attempted:
            parts = (one.accept_s, one.wait_s, one.pace_s, one.send_s)
            self._metrics.ended(one.outcome, parts)
        if one.outcome == ChangeState.DELIVERED:
            self._metrics.delivered(one.at)
        log.info(
            events.CHANGE_FINISHED,
            change=one.change,
            resource=one.resource,
            connection=one.connection,
            verb=one.verb,
            outcome=one.outcome,
            status=one.status,
            accept_s=round(one.accept_s, 4),
            wait_s=round(one.wait_s, 4),
            pace_s=round(one.pace_s, 4),
            send_s=round(one.send_s, 4),
        )
        if one.outcome == ChangeState.PARKED:
            log.error(
                events.CHANGE_PARKED,
                change=one.change,
                resource=one.resource,
                status=one.status,
                cure=_see(one.change),
            )


def _see(change: int) -> str:
    return f"scim-relay changes show {change}"
