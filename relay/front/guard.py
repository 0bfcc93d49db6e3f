"""Connections within bounds: how long a head may take, how many there may be (A9, P6).

aiohttp waits for ever for a request's head. Here every connection has a deadline from its first
moment, and from the first byte of every later request, to the end of the head. When the cap is
reached, the oldest connection that has shown no valid token yet makes room for the new one: a flood
of idle connections shuts no honest client out.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from relay.front.answers import refused
from relay.front.ports import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

_FULL_BODY: Final = refused(503, "too many connections").body
_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/scim+json; charset=utf-8\r\n"
    b"Retry-After: 1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
) % (len(_FULL_BODY), _FULL_BODY)


class ConnectionGuard:
    """Counts open connections and decides who may come in.

    Args:
        cap: open connections at once.
        header_deadline_s: seconds for a request's head.
        on_refusal: told of each connection turned away.

    Attributes:
        header_deadline_s: as given.
        all_spoke: set while every open connection has brought a request.
    """

    def __init__(
        self, cap: int, header_deadline_s: float, on_refusal: Callable[[str], None]
    ) -> None:
        self.header_deadline_s = header_deadline_s
        self._cap = cap
        self._on_refusal = on_refusal
        self._open: set[FrontProtocol] = set()
        self._strangers: dict[FrontProtocol, None] = {}
        self._silent: set[FrontProtocol] = set()
        self.all_spoke = asyncio.Event()
        self.all_spoke.set()

    @property
    def live(self) -> int:
        """Open connections."""
        return len(self._open)

    def admit(self, connection: FrontProtocol) -> bool:
        """Whether the new connection may stay."""
        if len(self._open) >= self._cap and not self._make_room():
            self._on_refusal(Refusal.CONNECTIONS)
            return False
        self._open.add(connection)
        self._strangers[connection] = None
        self._silent.add(connection)
        self.all_spoke.clear()
        return True

    def _make_room(self) -> bool:
        oldest = next((one for one in self._strangers if not one.busy), None)
        if oldest is None:
            return False
        self._on_refusal(Refusal.CONNECTIONS)
        self.left(oldest)
        oldest.abort()
        return True

    def spoke(self, connection: FrontProtocol) -> None:
        """The head of a request came in on this connection."""
        self._silent.discard(connection)
        if not self._silent:
            self.all_spoke.set()

    def known(self, connection: FrontProtocol) -> None:
        """A valid token came in on this connection."""
        self._strangers.pop(connection, None)

    def left(self, connection: FrontProtocol) -> None:
        """The connection is closed."""
        self._open.discard(connection)
        self.spoke(connection)
        self._strangers.pop(connection, None)


class FrontProtocol(web.RequestHandler):
    """One connection: aiohttp's, with a deadline for heads and SCIM errors for broken HTTP.

    Attributes:
        busy: a request is being handled; its own deadlines hold.
    """

    __slots__ = ("_admitted", "_deadline", "_guard", "busy")

    def __init__(self, manager: web.Server, guard: ConnectionGuard, **kwargs: Any) -> None:
        super().__init__(manager, loop=asyncio.get_running_loop(), **kwargs)
        self._guard = guard
        self._admitted = False
        self._deadline: asyncio.TimerHandle | None = None
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, or say 503 and close."""
        assert isinstance(transport, asyncio.Transport)
        if not self._guard.admit(self):
            transport.write(_FULL)
            transport.close()
            return
        self._admitted = True
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Start the head's deadline with its first byte."""
        if not self._admitted:
            return
        if self._deadline is None and not self.busy:
            self._await_head()
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop counting."""
        self._stop_deadline()
        self._guard.left(self)
        if self._admitted:
            super().connection_lost(exc)

    def began(self) -> None:
        """A request's head is complete."""
        self.busy = True
        self._guard.spoke(self)
        self._stop_deadline()

    def ended(self) -> None:
        """The request is answered; aiohttp's keep-alive timer takes over."""
        self.busy = False

    def identified(self) -> None:
        """The request carried a valid token."""
        self._guard.known(self)

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Broken HTTP is told so in SCIM's words; it is the client's fault and not logged."""
        del request, exc, message
        detail = (
            "this is not a valid HTTP request"
            if status < HTTPStatus.INTERNAL_SERVER_ERROR
            else "unexpected error"
        )
        response = refused(status, detail).response()
        response.force_close()
        return response

    def _await_head(self) -> None:
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(self._guard.header_deadline_s, self.abort)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class FrontServer(web.Server):
    """Makes a `FrontProtocol` for every connection."""

    def __init__(
        self,
        answer: Callable[[web.BaseRequest], Any],
        guard: ConnectionGuard,
        keepalive_s: float,
    ) -> None:
        super().__init__(answer, handler_cancellation=True)
        self._guard = guard
        self._options: dict[str, Any] = {
            "keepalive_timeout": keepalive_s,
            "lingering_time": 1.0,
            "access_log": None,
        }

    def __call__(self) -> FrontProtocol:
        """The protocol of a new connection."""
        return FrontProtocol(self, self._guard, **self._options)
