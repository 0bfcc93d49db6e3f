"""What the relay tells Prometheus: a small, closed set, in a registry of its own.

No label names a user, a group or a tenant, and every label has few values: a scrape is rendered
on the event loop, at about 10 microseconds a line (P8). `docs/reference/metrics.md` is generated
from this module (C3). Gauges that mirror the database are set by `observe` from one snapshot, so
that they agree with each other.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from relay import __version__
from relay.telemetry.flow_metrics import FlowMetrics
from relay.telemetry.front_metrics import FrontMetrics
from relay.telemetry.site_metrics import SiteMetrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX: Final = "scim_relay"
_TARGET_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_COMMIT_BUCKETS: Final = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 2)
_BATCH_BUCKETS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500)

# Prometheus sees no increase in a series that begins at 1: these begin at 0.
_REFUSALS: Final = ("400", "404", "409", "413", "422", "500")

# Fields of `Snapshot` that are one gauge each: its name and meaning.
_MIRRORED: Final = {
    "owed_revocations": (
        "owed_revocations",
        "Revocations the target has not taken yet; alarm on any that stays.",
    ),
    "oldest_owed_revocation_age_s": (
        "oldest_owed_revocation_age_seconds",
        "Age of the oldest owed revocation; 0 if there is none.",
    ),
    "oldest_pending_age_s": (
        "oldest_pending_age_seconds",
        "Age of the oldest pending change; 0 if there is none.",
    ),
    "groups_near_limit": (
        "groups_near_limit",
        "Groups with 90 % or more of the members that the target takes.",
    ),
    "held_effects": ("held_effects", "Effects that the guard holds until an operator decides."),
    "store_db_bytes": ("store_db_bytes", "Size of the database."),
    "store_wal_bytes": ("store_wal_bytes", "Size of the write-ahead log."),
    "store_free_bytes": ("store_free_bytes", "Free space on the database's filesystem."),
    "import_progress": (
        "import_progress",
        "Part of the directory read from the target, from 0 to 1.",
    ),
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the database holds at one moment; ages in seconds, 0 if there is nothing.

    Attributes:
        queue: changes that are not settled, by state (`pending`, `parked`).
        owed_revocations: revocations TFE has not taken yet.
        oldest_owed_revocation_age_s: since the oldest of them was accepted.
        oldest_pending_age_s: since the oldest pending change was accepted.
        holds: every known hold, and whether it stands.
        groups_near_limit: groups with 90 % or more of the members that TFE takes.
        held_effects: effects that the guard holds.
        store_db_bytes: size of the database's file.
        store_wal_bytes: size of its write-ahead log.
        store_free_bytes: free on its filesystem.
        import_progress: part of the directory that was read, from 0 to 1.
    """

    queue: Mapping[str, int] = field(default_factory=dict)
    owed_revocations: int = 0
    oldest_owed_revocation_age_s: float = 0.0
    oldest_pending_age_s: float = 0.0
    holds: Mapping[str, bool] = field(default_factory=dict)
    groups_near_limit: int = 0
    held_effects: int = 0
    store_db_bytes: int = 0
    store_wal_bytes: int = 0
    store_free_bytes: int = 0
    import_progress: float = 0.0


class TargetMetrics:
    """What was sent to the target and what came of it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            f"{PREFIX}_target_requests",
            "Requests sent to the target; status is `none` where no answer came.",
            ["method", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            f"{PREFIX}_target_request_duration_seconds",
            "Time from a request's first byte to its whole answer.",
            buckets=_TARGET_BUCKETS,
            registry=registry,
        )
        self._throttled = Counter(
            f"{PREFIX}_target_throttled",
            "Answers that told the relay to wait (429, or 503 with Retry-After).",
            registry=registry,
        )
        self._rate = Gauge(
            f"{PREFIX}_target_rate", "Requests a second the pacer allows now.", registry=registry
        )

    def observe(self, method: str, status: int | None, seconds: float) -> None:
        """One request; `status` None means that no whole answer came back."""
        self._requests.labels(method, "none" if status is None else str(status)).inc()
        self._seconds.observe(seconds)

    def throttled(self) -> None:
        """The target told us to wait."""
        self._throttled.inc()

    def paced(self, rate: float) -> None:
        """The pacer now allows `rate` requests a second."""
        self._rate.set(rate)


class DeliveryMetrics:
    """What became of changes and attempts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"{PREFIX}_{name}", meaning, labels, registry=registry)

        self._changes = counter(
            "changes",
            "Changes by outcome; `accepted` is the sum of all others and of those pending.",
            "outcome",
        )
        self._attempts = counter("attempts", "Attempts, by the verdict on them.", "verdict")
        self._saved = counter(
            "requests_saved",
            "Requests the target was spared: by `folding`, as a `no_op`, as a `read`.",
            "by",
        )
        self._ambiguous = counter(
            "ambiguous", "Attempts that may have had their effect, by how it ended.", "resolution"
        )
        self._parked = counter(
            "parked", "Changes the target refused for good, by its status.", "reason"
        )
        self.drift: Final = counter("drift", "Differences that nobody asked for.", "what")
        for labelled, values in (
            (self._parked, _REFUSALS),
            (self._ambiguous, ("found", "absent")),
            (self._saved, ("folding", "no_op", "read")),
            (self._changes, ("accepted", "delivered", "refused", "parked", "dropped")),
        ):
            for value in values:
                labelled.labels(value)

    def change(self, outcome: str, number: int = 1) -> None:
        """`accepted`, `delivered`, `refused`, `parked` or `dropped`."""
        self._changes.labels(outcome).inc(number)

    def attempt(self, verdict: str) -> None:
        """An attempt was settled with this verdict."""
        self._attempts.labels(verdict).inc()

    def saved(self, by: str, number: int = 1) -> None:
        """Requests that folding, no-ops or the like made needless."""
        self._saved.labels(by).inc(number)

    def ambiguous(self, resolution: str) -> None:
        """An ambiguous attempt was cleared up."""
        self._ambiguous.labels(resolution).inc()

    def parked(self, reason: str) -> None:
        """A change was parked."""
        self._parked.labels(reason).inc()


class StoreMetrics:
    """How fast the disk is."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._commit = Histogram(
            f"{PREFIX}_store_commit_seconds",
            "Time of one durable commit, with the checkpoint that SQLite makes in some of them.",
            buckets=_COMMIT_BUCKETS,
            registry=registry,
        )
        self._batch = Histogram(
            f"{PREFIX}_store_batch_size",
            "Operations that shared one commit.",
            buckets=_BATCH_BUCKETS,
            registry=registry,
        )
        self._pruned = Counter(
            f"{PREFIX}_history_pruned",
            "Rows past `store.history` or `audit.history`.",
            ["table"],
            registry=registry,
        )

    def pruned(self, table: str, rows: int) -> None:
        """Rows of `change`, `attempt` or `audit` went."""
        self._pruned.labels(table).inc(rows)

    def committed(self, operations: int, seconds: float) -> None:
        """One commit of so many operations; called from the writer's thread."""
        self._commit.observe(seconds)
        self._batch.observe(operations)


class Metrics:
    """All of them, by who reports: `front`, `target`, `delivery`, `store`, `site`, `flow`."""

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry()
        self._unexpected = Counter(
            f"{PREFIX}_unexpected_errors",
            "Faults of the relay itself, caught at a boundary.",
            registry=self.registry,
        )
        self.target: Final = TargetMetrics(self.registry)
        self.delivery: Final = DeliveryMetrics(self.registry)
        self.front: Final = FrontMetrics(
            self.registry, PREFIX, self._unexpected, self.delivery.saved
        )
        self.store: Final = StoreMetrics(self.registry)
        self.site: Final = SiteMetrics(self.registry, PREFIX)
        self.flow: Final = FlowMetrics(self.registry, PREFIX)
        self._queue = self._gauge("queue_changes", "Changes that are not settled.", "state")
        self._hold = self._gauge("hold_active", "1 while the hold stands.", "hold")
        self._gauges: Final = {
            mirrored: self._gauge(name, meaning) for mirrored, (name, meaning) in _MIRRORED.items()
        }
        Info(f"{PREFIX}_build", "What is running.", registry=self.registry).info(
            {"version": __version__, "python": platform.python_version()}
        )

    def observe(self, snapshot: Snapshot) -> None:
        """Set every gauge that mirrors the database, from one reading of it."""
        _mirror(self._queue, snapshot.queue)
        _mirror(self._hold, snapshot.holds)
        for name, gauge in self._gauges.items():
            gauge.set(getattr(snapshot, name))

    def unexpected_error(self) -> None:
        """A fault of ours reached a supervised boundary."""
        self._unexpected.inc()

    def exposition(self) -> bytes:
        """The text Prometheus scrapes."""
        return generate_latest(self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", meaning, labels, registry=self.registry)


def _mirror(gauge: Gauge, values: Mapping[str, float]) -> None:
    """Set the labelled series; one that is in no snapshot any more says 0, not its last value."""
    for metric in gauge.collect():
        for sample in metric.samples:
            gauge.labels(**sample.labels).set(0)
    for label, value in values.items():
        gauge.labels(label).set(value)


def described(metrics: Metrics) -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """Name as scraped, type, labels and meaning of every metric, sorted by name."""
    # prometheus-client lists neither its collectors nor their labels in public.
    collectors = set(metrics.registry._names_to_collectors.values())  # noqa: SLF001
    families = [(next(iter(each.collect())), each) for each in collectors]
    for family, each in sorted(families, key=lambda pair: pair[0].name):
        suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
        labels = tuple(getattr(each, "_labelnames", ()))
        yield f"{family.name}{suffix}", family.type, labels, family.documentation
