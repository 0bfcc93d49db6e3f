"""What delivery needs of the side that speaks HTTP, and what it reports to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from relay.rules.planner_types import Request
    from relay.rules.verdict import Answered


class Target(Protocol):
    """TFE, one request at a time; whoever calls has acquired a slot before."""

    async def send(
        self, request: Request, attempt_id: str, departing: Callable[[], None], /
    ) -> Answered:
        """Send a request and read its whole answer; `departing` is told of its first byte.

        Raises:
            NotSent: no byte of it left.
            MaybeSent: bytes left, no whole answer came.
        """
        ...


class TargetMetrics(Protocol):
    """What is counted of requests to TFE."""

    def observe(self, method: str, status: int | None, seconds: float) -> None:
        """A request ended; None: without an answer."""
        ...

    def throttled(self) -> None:
        """TFE asked to come later."""
        ...

    def paced(self, rate: float) -> None:
        """The rate granted now."""
        ...
