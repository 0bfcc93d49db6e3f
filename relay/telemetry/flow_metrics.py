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


# Fields of `Waiting` and `Flow` that are one gauge each: its name, meaning and labels.
_WAITING: Final = {
    "changes": ("pending_changes", "Changes that are pending, by kind."),
    "lag_s": ("lag_seconds", "Age of the oldest pending change of a kind; 0 if there is none."),
    "unbound": ("unbound_ids", "Users and groups that wait for TFE to give them its id."),
}
_FLOW: Final[dict[str, tuple[str, ...]]] = {
    "counted": (
        "changes_counted",
        "Changes since the database was made; `accepted` is the sum of all others.",
        "state",
    ),
    "accepted_at": ("accepted_high_timestamp_seconds", "When the newest change was accepted."),
    "held_since": (
        "hold_since_timestamp_seconds",
        "Since when a hold stands; 0 while it does not.",
        "hold",
    ),
    "tripped": ("guard_tripped", "Connections that took away more than the guard lets pass."),
    "full": ("store_full", "1 while the disk takes no more writes of clients."),
}
_BOUNDS: Final = (
    ("queue_limit", "Changes that may be pending (store.max_pending)."),
    ("target_concurrency_limit", "Requests to the target that may be under way at once."),
    ("target_rate_configured", "Requests a second by target.rate."),
)


class FlowMetrics:
    """What flows through the relay.

    Args:
        registry: where the metrics are kept.
        prefix: of every name.
    """

    def __init__(self, registry: CollectorRegistry, prefix: str) -> None:
        self._registry = registry
        self._prefix = prefix
        self._whole = self._seconds(
            "end_to_end_seconds",
            "From a request's head to the end of its change, of changes that a request ended.",
            "outcome",
        )
        self._part = self._seconds(
            "delivery_seconds",
            "That in parts: `accept` before the queue, `wait` in it, `pace` for a slot, `send`.",
            "part",
        )
        self._waiting = {
            field: self._gauge(name, meaning, "kind") for field, (name, meaning) in _WAITING.items()
        }
        self._flow = {
            field: self._gauge(name, meaning, *labels)
            for field, (name, meaning, *labels) in _FLOW.items()
        }
        self._overflowed = self._gauge(
            "overflowed_groups", "Groups that TFE holds in several parts."
        )
        self._delivered_at = self._gauge(
            "delivered_high_timestamp_seconds",
            "When the newest of the delivered changes was accepted; 0 until one is known.",
        )
        self._bounds = [self._gauge(name, meaning) for name, meaning in _BOUNDS]
        self._in_flight = self._gauge("target_in_flight", "Requests to the target under way.")
        self._newest = 0.0
        self._begin_at_zero()

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"{self._prefix}_{name}", meaning, labels, registry=self._registry)

    def _seconds(self, name: str, meaning: str, label: str) -> Histogram:
        name = f"{self._prefix}_{name}"
        return Histogram(name, meaning, [label], buckets=_BUCKETS, registry=self._registry)

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
        for gauge, bound in zip(self._bounds, (queue, concurrency, rate), strict=True):
            gauge.set(bound)
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
        for one, gauge in self._waiting.items():
            gauge.labels(kind).set(getattr(what, one))

    def overflowed(self, groups: int) -> None:
        """So many groups are held in parts."""
        self._overflowed.set(groups)

    def observe(self, flow: Flow) -> None:
        """Set all that one reading says."""
        for one, gauge in self._flow.items():
            value = getattr(flow, one)
            for label, number in value.items() if isinstance(value, dict) else ():
                gauge.labels(label).set(number)
            if not isinstance(value, dict):
                gauge.set(value)
