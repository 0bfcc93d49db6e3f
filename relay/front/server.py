"""Sockets: where the front listens, and how it stops.

Stopping is graceful (L1): no new connections, idle ones closed, what is under way finishes within
`drain_s`, then it is cancelled; a cancelled write is on disk or was never acknowledged.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from relay.errors import SettingsError
from relay.front.guard import ConnectionGuard, FrontServer
from relay.front.tls import CertificateSource

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from relay.front.front import Front
    from relay.front.settings import FrontSettings

_BACKLOG: Final = 1_024
_CUT_OFF_S: Final = 0.1  # aiohttp waits once more after it cancelled a handler
_SOCKET_MODE: Final = 0o660  # the reverse proxy shares the group


@dataclass(frozen=True, slots=True)
class Listening:
    """A front that takes connections.

    Attributes:
        port: the TCP port, as bound; 0 for a unix socket.
        guard: knows how many connections are open.
    """

    port: int
    guard: ConnectionGuard


@asynccontextmanager
async def serve_front(front: Front) -> AsyncIterator[Listening]:
    """Listen until the block ends, then stop gracefully.

    Raises:
        SettingsError: clear text on a public address, an unusable certificate, an address that
            cannot be bound.
    """
    settings = front.settings
    settings.check()
    guard = ConnectionGuard(settings, front.metrics.refused)
    handlers = FrontServer(front.answer, guard, settings)
    context = CertificateSource(settings.tls).context() if settings.tls else None
    listener = await _bound(handlers, settings, context)
    try:
        yield Listening(_port_of(listener), guard)
    finally:
        await _stop(listener, handlers, settings)


async def _bound(
    handlers: FrontServer, settings: FrontSettings, context: ssl.SSLContext | None
) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    address = settings.address
    handshake_s = settings.header_deadline_s if context else None
    try:
        if address.path is None:
            return await loop.create_server(
                handlers,
                address.host,
                address.port,
                ssl=context,
                ssl_handshake_timeout=handshake_s,
                backlog=_BACKLOG,
            )
        listener = await loop.create_unix_server(
            handlers,
            str(address.path),
            ssl=context,
            ssl_handshake_timeout=handshake_s,
            backlog=_BACKLOG,
        )
        await asyncio.to_thread(address.path.chmod, _SOCKET_MODE)
    except OSError as error:
        raise SettingsError(
            [f"listen.address: cannot listen on {address}: {error}; choose a free address"]
        ) from error
    return listener


def _port_of(listener: asyncio.Server) -> int:
    name = listener.sockets[0].getsockname()
    return int(name[1]) if isinstance(name, tuple) else 0


async def _stop(listener: asyncio.Server, handlers: FrontServer, settings: FrontSettings) -> None:
    listener.close()
    handlers.pre_shutdown()
    try:
        async with asyncio.timeout(settings.drain_s):
            await handlers.shutdown(settings.drain_s)
    except TimeoutError:
        await handlers.shutdown(_CUT_OFF_S)
    await listener.wait_closed()
    if settings.address.path is not None:
        await asyncio.to_thread(Path.unlink, settings.address.path, missing_ok=True)
