"""What arrived when: the proof of every claim about rate, order and number of requests.

Tokens are never in it, bodies only if asked for. A request is entered on arrival and completed
when its answer leaves, so that one which hangs is seen too.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from relay.clock import Clock

MAX_ENTRIES: Final = 500_000
"""Older entries are forgotten past this, so that a stand-in left running stays small."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as the transport hands it over.

    Attributes:
        method: upper case.
        path: decoded, behind the base path: `/Users/ID`.
        query: the parameters, the last of each name.
        body: as sent.
        authorization: the header, or None.
        content_type: the header without parameters, lower case; empty for none.
        request_id: the `X-Request-Id` header, or None.
        user_agent: the `User-Agent` header, or None.
    """

    method: str
    path: str
    query: dict[str, str]
    body: bytes = b""
    authorization: str | None = None
    content_type: str = ""
    request_id: str | None = None
    user_agent: str | None = None

    @property
    def is_provisioning(self) -> bool:
        """It is for Users or Groups: the rate limit, the pause and disabling concern it."""
        return self.path.split("/")[1:2] in (["Users"], ["Groups"])


@dataclass(frozen=True, slots=True)
class Entry:
    """One request in the log.

    Attributes:
        serial: its number, from 1.
        monotonic_s: when it arrived, by the clock that does not jump.
        wall_s: the same, seconds since the epoch.
        method: of the request.
        path: behind the base path.
        query: its parameters.
        request_id: its `X-Request-Id`, or None.
        user_agent: its `User-Agent`, or None.
        body_bytes: size of its body.
        body: the body itself, if the log keeps bodies.
        counted: the rate limit counted it.
        status: of the answer; None while there is none, 0 if the connection was dropped.
        executed: it reached the directory, whatever the client was told.
        fault: the kind of the fault that met it, or None.
        answered_s: when its answer left, monotonic; None while there is none.
    """

    serial: int
    monotonic_s: float
    wall_s: float
    method: str
    path: str
    query: dict[str, str]
    request_id: str | None
    user_agent: str | None
    body_bytes: int
    body: str | None
    counted: bool
    status: int | None = None
    executed: bool = False
    fault: str | None = None
    answered_s: float | None = None


class RequestLog:
    """All requests in order of arrival."""

    def __init__(self, clock: Clock, *, keep_bodies: bool = False) -> None:
        self.keep_bodies = keep_bodies
        self._clock = clock
        self._entries: dict[int, Entry] = {}
        self._serial = 0
        self._waiting: list[asyncio.Future[None]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def arrive(self, arrival: Arrival) -> int:
        """Enter a request that arrives now; returns its serial."""
        self._serial += 1
        self._entries[self._serial] = Entry(
            serial=self._serial,
            monotonic_s=self._clock.monotonic(),
            wall_s=self._clock.wall(),
            method=arrival.method,
            path=arrival.path,
            query=arrival.query,
            request_id=arrival.request_id,
            user_agent=arrival.user_agent,
            body_bytes=0,
            body=None,
            counted=arrival.is_provisioning,
        )
        if len(self._entries) > MAX_ENTRIES:
            del self._entries[next(iter(self._entries))]
        self._wake()
        return self._serial

    def read_body(self, serial: int, body: bytes) -> None:
        """The body of a request has come in whole."""
        kept = body.decode("utf-8", "replace") if self.keep_bodies else None
        self._change(serial, body_bytes=len(body), body=kept)

    def meet(self, serial: int, fault: str) -> None:
        """A fault has hold of a request."""
        self._change(serial, fault=fault)

    def execute(self, serial: int) -> None:
        """A request has reached the directory."""
        self._change(serial, executed=True)

    def finish(self, serial: int, status: int) -> None:
        """The answer leaves; status 0 for a dropped connection."""
        self._change(serial, status=status, answered_s=self._clock.monotonic())

    def entries(
        self,
        *,
        method: str | None = None,
        path: str | None = None,
        status: int | None = None,
        after: int = 0,
    ) -> list[Entry]:
        """Entries of this method, whose path begins so, with this status, later than a serial."""
        return [
            entry
            for entry in self._entries.values()
            if entry.serial > after
            and (method is None or entry.method == method)
            and (path is None or entry.path.startswith(path))
            and (status is None or entry.status == status)
        ]

    def clear(self) -> None:
        """Forget everything; serials go on."""
        self._entries.clear()

    def max_in_window(self, seconds: float = 1.0) -> int:
        """The most counted requests that arrived in any half-open window of this length."""
        return densest(
            (entry.monotonic_s for entry in self._entries.values() if entry.counted), seconds
        )

    async def until(self, satisfied: Callable[[RequestLog], bool]) -> None:
        """Wait until the log satisfies a condition, looked at whenever it changes."""
        while not satisfied(self):
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter

    def _change(self, serial: int, **changes: object) -> None:
        entry = self._entries.get(serial)
        if entry is not None:
            self._entries[serial] = replace(entry, **changes)  # type: ignore[arg-type]  # private
            self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)


def densest(instants: Iterable[float], seconds: float) -> int:
    """The most instants, given in order, in any half-open window of this length."""
    window: deque[float] = deque()
    most = 0
    for instant in instants:
        window.append(instant)
        while instant - window[0] >= seconds:
            window.popleft()
        most = max(most, len(window))
    return most
