"""Whether trouble is TFE's or a lane's, told from the results of all lanes (semantics H4, D8).

Trouble of the target is charged to the target: it raises a hold and costs no change anything. Only
while other lanes succeed is a failure the lane's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from relay.delivery.identity import said
from relay.rules import backoff
from relay.rules.verdict import Outcome, Verdict
from relay.store.deliver.settling import HoldRequest
from relay.store.state.holds import HoldName

RECENT_S: Final = 60.0
"""Another lane's success within this time makes a failure the lane's own (H4)."""

IN_A_ROW: Final = 3
"""So many lanes without an answer, one after another: it is the target."""

SAME_MOMENT_S: Final = 0.001
"""A request sent at the very end of a wait is answered after it, whatever the clocks' rounding."""

MAX_FAILURES: Final = 10_000
"""Failing lanes remembered; the oldest is forgotten, and judged as if it failed the first time."""


@dataclass(slots=True)
class Health:
    """What the last results say about TFE.

    Attributes:
        throttles: times in a row that TFE told us to wait, for their back-off.
        silent: lanes in a row that got no answer or a 500.
    """

    throttles: int = 0
    silent: set[int] = field(default_factory=set)
    _throttled_until: float = -math.inf
    _successes: dict[int, float] = field(default_factory=dict)
    _failures: dict[int, float] = field(default_factory=dict)

    def others_succeed(self, resource: int, now_s: float) -> bool:
        """Whether another lane's write succeeded within the last minute, by monotonic time."""
        return self._succeeded_since(resource, now_s - RECENT_S)

    def repeats_alone(self, resource: int) -> bool:
        """Whether a lane failed before, and no write of another has succeeded since.

        Then it is not told yet whether TFE fails this lane only, or has begun to fail everybody.
        """
        failed_at = self._failures.get(resource)
        return failed_at is not None and not self._succeeded_since(resource, failed_at)

    def _succeeded_since(self, resource: int, since_s: float) -> bool:
        return any(lane != resource and at >= since_s for lane, at in self._successes.items())

    def note(
        self,
        resource: int,
        verdict: Verdict,
        *,
        now_s: float,
        wall_s: float,
        unit: float,
        writes: bool = True,
    ) -> HoldRequest | None:
        """Take a result in; the hold it raises, or None.

        Args:
            resource: its lane.
            verdict: what the result means.
            now_s: monotonic time in seconds.
            wall_s: seconds since the epoch, for the end of a hold.
            unit: a random number in [0, 1) for back-off.
            writes: whether it was a write: that TFE can still read proves little.
        """
        match verdict.outcome:
            case Outcome.DELIVERED if writes:
                self._succeeded(resource, now_s)
            case Outcome.DELIVERED:
                self.throttles = 0
            case Outcome.THROTTLED:
                return self._throttled(verdict, now_s, wall_s, unit)
            case Outcome.PAUSED:
                return HoldRequest(HoldName.PAUSED, said(verdict))
            case Outcome.TOKEN:
                return HoldRequest(HoldName.TOKEN, said(verdict))
            case Outcome.DOWN:
                return HoldRequest(HoldName.DOWN, said(verdict))
            case Outcome.AMBIGUOUS | Outcome.FAILED:
                return self._unanswered(resource, verdict, now_s)
            case Outcome.MISSING | Outcome.CONFLICT | Outcome.REFUSED:
                self._answered(resource)
        return None

    def _answered(self, resource: int) -> None:
        self.silent.clear()
        self._failures.pop(resource, None)

    def _succeeded(self, resource: int, now_s: float) -> None:
        self.throttles = 0
        self._answered(resource)
        self._successes[resource] = now_s
        while len(self._successes) > IN_A_ROW:
            self._successes.pop(min(self._successes, key=self._successes.__getitem__))

    def _throttled(self, verdict: Verdict, now_s: float, wall_s: float, unit: float) -> HoldRequest:
        """Exactly as long as TFE said; without a word 1 second, then doubling.

        What arrives while TFE is waited for answers requests that were under way: it prolongs the
        wait if it says so, and is no further refusal.
        """
        wait_s = verdict.retry_after_s
        if wait_s is None and now_s < self._throttled_until - SAME_MOMENT_S:
            wait_s = self._throttled_until - now_s
        elif wait_s is None:
            self.throttles += 1
            ceiling = backoff.ceiling_s(self.throttles)
            wait_s = max(backoff.BASE_S, ceiling / 2 + unit * ceiling / 2)
        self._throttled_until = max(self._throttled_until, now_s + wait_s)
        return HoldRequest(HoldName.THROTTLED, said(verdict), wall_s + wait_s)

    def _unanswered(self, resource: int, verdict: Verdict, now_s: float) -> HoldRequest | None:
        """No answer, or a 500: several lanes in a row without a success between is the target."""
        self._failures.setdefault(resource, now_s)
        if len(self._failures) > MAX_FAILURES:
            del self._failures[next(iter(self._failures))]
        self.silent.add(resource)
        if len(self.silent) < IN_A_ROW:
            return None
        self.silent.clear()
        return HoldRequest(HoldName.DOWN, said(verdict))
