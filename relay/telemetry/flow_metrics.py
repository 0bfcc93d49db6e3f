"""Metrics of how far behind TFE is, where changes' time goes, and of the bounds beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from prometheus_client import Gauge, Histogram

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prometheus_client import CollectorRegistry

_BUCKETS: Final = (
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400,
)  # fmt: skip

PARTS: Final = ("accept", "wait", "pace", "send")
ENDS: Final = ("delivered", "refused", "parked", "dropped")
KINDS: Final = ("User", "Group")


@dataclass(frozen=True, slots=True)
class Flow:
    """What one reading of the database says; times in seconds since the epoch, 0 for none.

    Attributes:
        counted: changes by state since the database was made, `accepted` among them.
        accepted_at: when the newest change was accepted.
        held_since: every known hold, and since when it stands.
        tripped: connections whose losses the guard holds.
        full: the disk takes no more.
    """

    counted: Mapping[str, int] = field(default_factory=dict)
    accepted_at: float = 0.0
    held_since: Mapping[str, float] = field(default_factory=dict)
    tripped: int = 0
    full: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits of one kind.

    Attributes:
        changes: that are pending.
        lag_s: the age of the oldest of them.
        unbound: users or groups to which TFE has given no id yet.
    """

    changes: int = 0
    lag_s: float = 0.0
    unbound: int = 0


class FlowMetrics:
    """What flows through the relay.

    Args:
        registry: where the metrics are kept.
        prefix: of every name.
    """

    def __init__(self, registry: CollectorRegistry, prefix: str) -> None:
        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(f"{prefix}_{name}", meaning, labels, registry=registry)

        def seconds(name: str, meaning: str, label: str) -> Histogram:
            return Histogram(
                f"{prefix}_{name}", meaning, [label], buckets=_BUCKETS, registry=registry
            )

        self._whole = seconds(
            "end_to_end_seconds",
            "From a request's head to the end of its change, of changes that a request ended.",
            "outcome",
        )
        self._part = seconds(
            "delivery_seconds",
            "That in parts: `accept` before the queue, `wait` in it, `pace` for a slot, `send`.",
            "part",
        )
        self._pending = gauge("pending_changes", "Changes that are pending, by kind.", "kind")
        self._lag = gauge(
            "lag_seconds", "Age of the oldest pending change of a kind; 0 if there is none.", "kind"
        )
        self._unbound = gauge(
            "unbound_ids", "Users and groups that wait for TFE to give them its id.", "kind"
        )
        self._overflowed = gauge("overflowed_groups", "Groups that TFE holds in several parts.")
        self._accepted_at = gauge(
            "accepted_high_timestamp_seconds", "When the newest change was accepted."
        )
        self._delivered_at = gauge(
            "delivered_high_timestamp_seconds",
            "When the newest of the delivered changes was accepted; 0 until one is known.",
        )
        self._counted = gauge(
            "changes_counted",
            "Changes since the database was made; `accepted` is the sum of all others.",
            "state",
        )
        self._held_since = gauge(
            "hold_since_timestamp_seconds", "Since when a hold stands; 0 while it does not.", "hold"
        )
        self._tripped = gauge(
            "guard_tripped", "Connections that took away more than the guard lets pass."
        )
        self._full = gauge("store_full", "1 while the disk takes no more writes of clients.")
        self._queue_limit = gauge("queue_limit", "Changes that may be pending (store.max_pending).")
        self._in_flight = gauge("target_in_flight", "Requests to the target under way.")
        self._concurrency = gauge(
            "target_concurrency_limit", "Requests to the target that may be under way at once."
        )
        self._rate = gauge("target_rate_configured", "Requests a second by target.rate.")
        self._newest = 0.0
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """A series that is not there yet looks like one that was lost."""
        for part in PARTS:
            self._part.labels(part)
        for end in ENDS[:3]:
            self._whole.labels(end)
        for kind in KINDS:
            self.waiting(kind, Waiting())

    def bounded(
        self, queue: int, concurrency: int, rate: float, in_flight: Callable[[], int]
    ) -> None:
        """The bounds that are set once, and where the requests under way are counted."""
        self._queue_limit.set(queue)
        self._concurrency.set(concurrency)
        self._rate.set(rate)
        self._in_flight.set_function(in_flight)

    def ended(self, outcome: str, parts: tuple[float, float, float, float]) -> None:
        """A request ended a change; seconds in the order of `PARTS`."""
        self._whole.labels(outcome).observe(sum(parts))
        for name, took_s in zip(PARTS, parts, strict=True):
            self._part.labels(name).observe(took_s)

    def delivered(self, accepted_at: float) -> None:
        """A change that was accepted then is delivered."""
        if accepted_at > self._newest:
            self._newest = accepted_at
            self._delivered_at.set(accepted_at)

    def waiting(self, kind: str, what: Waiting) -> None:
        """What waits of a kind."""
        self._pending.labels(kind).set(what.changes)
        self._lag.labels(kind).set(what.lag_s)
        self._unbound.labels(kind).set(what.unbound)

    def overflowed(self, groups: int) -> None:
        """So many groups are held in parts."""
        self._overflowed.set(groups)

    def observe(self, flow: Flow) -> None:
        """Set all that one reading says."""
        for state, number in flow.counted.items():
            self._counted.labels(state).set(number)
        for hold, since in flow.held_since.items():
            self._held_since.labels(hold).set(since)
        self._accepted_at.set(flow.accepted_at)
        self._tripped.set(flow.tripped)
        self._full.set(flow.full)
