"""Whether trouble is TFE's or a lane's, told from the results of all lanes (semantics H4, D8).

Trouble of the target is charged to the target: it raises a hold and costs no change anything. Only
while other lanes succeed is a failure the lane's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from relay.rules import backoff
from relay.rules.verdict import Outcome, Verdict
from relay.store.holds import HoldName
from relay.store.settling import HoldRequest

RECENT_S: Final = 60.0
"""Another lane's success within this time makes a failure the lane's own (H4)."""

IN_A_ROW: Final = 3
"""So many lanes without an answer, one after another: it is the target."""


@dataclass(slots=True)
class Health:
    """What the last results say about TFE.

    Attributes:
        throttles: answers in a row that told us to wait, for their back-off.
        silent: lanes in a row that got no answer or a 500.
    """

    throttles: int = 0
    silent: set[int] = field(default_factory=set)
    _successes: dict[int, float] = field(default_factory=dict)

    def others_succeed(self, resource: int, now_s: float) -> bool:
        """Whether another lane succeeded within the last minute, by monotonic time."""
        return any(
            lane != resource and now_s - at <= RECENT_S for lane, at in self._successes.items()
        )

    def note(
        self,
        resource: int,
        verdict: Verdict,
        *,
        now_s: float,
        wall_s: float,
        unit: float,
    ) -> HoldRequest | None:
        """Take a result in; the hold it raises, or None.

        Args:
            resource: its lane.
            verdict: what the result means.
            now_s: monotonic time in seconds.
            wall_s: seconds since the epoch, for the end of a hold.
            unit: a random number in [0, 1) for back-off.
        """
        match verdict.outcome:
            case Outcome.DELIVERED:
                self._succeeded(resource, now_s)
            case Outcome.THROTTLED:
                return self._throttled(verdict, wall_s, unit)
            case Outcome.PAUSED:
                return HoldRequest(HoldName.PAUSED, _said(verdict))
            case Outcome.TOKEN:
                return HoldRequest(HoldName.TOKEN, _said(verdict))
            case Outcome.DOWN:
                return HoldRequest(HoldName.DOWN, _said(verdict))
            case Outcome.AMBIGUOUS | Outcome.FAILED:
                return self._unanswered(resource, verdict, now_s)
            case Outcome.MISSING | Outcome.CONFLICT | Outcome.REFUSED:
                self.silent.clear()
        return None

    def _succeeded(self, resource: int, now_s: float) -> None:
        self.throttles = 0
        self.silent.clear()
        self._successes[resource] = now_s
        while len(self._successes) > IN_A_ROW:
            self._successes.pop(min(self._successes, key=self._successes.__getitem__))

    def _throttled(self, verdict: Verdict, wall_s: float, unit: float) -> HoldRequest:
        """Exactly as long as TFE said; without a word 1 second, then doubling."""
        self.throttles += 1
        wait_s = verdict.retry_after_s
        if wait_s is None:
            ceiling = backoff.ceiling_s(self.throttles)
            wait_s = max(1.0, ceiling / 2 + unit * ceiling / 2)
        return HoldRequest(HoldName.THROTTLED, _said(verdict), wall_s + wait_s)

    def _unanswered(self, resource: int, verdict: Verdict, now_s: float) -> HoldRequest | None:
        """No answer, or a 500: several lanes in a row, and none that succeeds, is the target."""
        if self.others_succeed(resource, now_s):
            return None
        self.silent.add(resource)
        if len(self.silent) < IN_A_ROW:
            return None
        self.silent.clear()
        return HoldRequest(HoldName.DOWN, _said(verdict))


def _said(verdict: Verdict) -> str:
    status = "no answer" if verdict.status is None else str(verdict.status)
    return f"{status}: {verdict.detail}" if verdict.detail else status
