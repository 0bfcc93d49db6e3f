"""Time and identifiers, as arguments: built once in `app`, replaced in simulation.

Two clocks on purpose (L6). Rows carry *wall* time, which may jump; waiting uses the event loop's
monotonic time, which may not. Nothing else in the package may read a clock or mint an id.
"""

from __future__ import annotations

import random
import time
import uuid
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def wall(self) -> float:
        """Seconds since the epoch; may jump either way."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; comparable within this process only."""
        ...


class Ids(Protocol):
    """Where identifiers come from."""

    def new_id(self) -> str:
        """A fresh id for a resource: a UUID in text, as TFE's own are."""
        ...


class Rng(Protocol):
    """Where jitter comes from."""

    def uniform(self, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        ...


class SystemClock:
    """The machine's clocks."""

    def wall(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds of `CLOCK_MONOTONIC`."""
        return time.monotonic()


class RandomIds:
    """Random UUIDs (RFC 9562 version 4)."""

    def new_id(self) -> str:
        """A fresh UUID in text."""
        return str(uuid.uuid4())


def age_s(clock: Clock, at: float) -> float:
    """Seconds since a moment of wall time, to the millisecond; none of a moment that is to come."""
    return round(max(0.0, clock.wall() - at), 3)


def system_rng() -> Rng:
    """A generator seeded by the operating system."""
    return random.Random()  # noqa: S311 - jitter, not secrets
