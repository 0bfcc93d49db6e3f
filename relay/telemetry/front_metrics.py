"""Metrics of what identity providers were answered."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge, Histogram

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

_ANSWER_BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10)

# Those of `relay.front.ports.Refusal`: a series that begins at 1 shows Prometheus no increase.
_REASONS: Final = (
    *("token", "token_rate", "token_ended", "size", "slow", "syntax"),
    *("media_type", "connections", "monitors", "busy", "gate", "address", "scope"),
)


class FrontMetrics:
    """What identity providers were answered.

    Args:
        registry: where the metrics are kept.
        prefix: of every name.
        unexpected: faults of ours, wherever they were caught.
        saved: told of a read that TFE was spared.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        prefix: str,
        unexpected: Counter,
        saved: Callable[[str], None],
    ) -> None:
        self._unexpected = unexpected
        self._saved = saved
        self._answers = Counter(
            f"{prefix}_answers",
            "Answers to identity providers.",
            ["route", "status", "source"],
            registry=registry,
        )
        self._seconds = Histogram(
            f"{prefix}_answer_seconds",
            "Time from a request's head to its answer.",
            ["route", "source"],
            buckets=_ANSWER_BUCKETS,
            registry=registry,
        )
        self._refused = Counter(
            f"{prefix}_refused",
            "Requests that were turned away before they became a change.",
            ["reason"],
            registry=registry,
        )
        for reason in _REASONS:
            self._refused.labels(reason)
        self._ends = Gauge(
            f"{prefix}_inbound_token_seconds_left",
            "Seconds until the next token of an identity provider ends; +Inf if none does.",
            registry=registry,
        )
        self._ends.set(math.inf)

    def token_ends(self, left_s: float) -> None:
        """The next token ends in so many seconds; infinite if none does."""
        self._ends.set(left_s)

    def observe(self, route: str, status: int, source: str, seconds: float) -> None:
        """One answer; `route` is a template such as `PATCH /Groups/{id}`, never a path."""
        self._answers.labels(route, str(status), source).inc()
        self._seconds.labels(route, source).observe(seconds)
        if source == "directory" and route.startswith("GET "):
            self._saved("read")

    def refused(self, reason: str) -> None:
        """One request turned away; `reason` is of a closed set (`token`, `size`, ...)."""
        self._refused.labels(reason).inc()

    def unexpected_error(self) -> None:
        """A request failed by a fault of ours."""
        self._unexpected.inc()
