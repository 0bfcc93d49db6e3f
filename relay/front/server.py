"""Sockets: where the front listens, and how it stops.

Stopping is graceful (L1): no new connections, those that were taken in the last moment still say
what they came for, idle ones are closed, what is under way finishes within `drain_s`, then it is
cancelled; a cancelled write is on disk or was never acknowledged.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from relay.front import sockets
from relay.front.guard import ConnectionGuard, FrontServer
from relay.front.tls import CertificateSource

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Sequence

    from relay.front.front import Front
    from relay.front.settings import FrontSettings

_ROUNDS_S: Final = 0.05  # what the loop took from the kernel reaches its protocol within this
_LAST_WORDS_S: Final = 1.0
_CUT_OFF_S: Final = 0.1  # aiohttp waits once more after it cancelled a handler


@dataclass(frozen=True, slots=True)
class Listening:
    """A front that takes connections.

    Attributes:
        address: where, in the configuration's words; several are separated by commas.
        port: the TCP port, as bound; 0 for a unix socket.
        guard: knows how many connections are open.
    """

    address: str
    port: int
    guard: ConnectionGuard


@asynccontextmanager
async def serve_front(
    front: Front, inherited: Sequence[socket.socket] = ()
) -> AsyncIterator[Listening]:
    """Listen until the block ends, then stop gracefully.

    Args:
        front: answers the requests.
        inherited: sockets to take connections from instead of `listen.address`.

    Raises:
        SettingsError: clear text on a public address, an unusable certificate, an address that
            cannot be bound.
    """
    settings = front.settings
    addresses = sockets.addresses_of(settings, inherited)
    guard = ConnectionGuard(
        settings.max_connections, settings.header_deadline_s, front.metrics.refused
    )
    handlers = FrontServer(front.answer, guard, settings.keepalive_s)
    context = CertificateSource(settings.tls).context() if settings.tls else None
    listeners = await sockets.listeners(handlers, settings, context, inherited)
    try:
        yield Listening(", ".join(map(str, addresses)), _port_of(listeners), guard)
    finally:
        for listener in listeners:
            listener.close()
        await _last_words(guard)
        await _stop(listeners, handlers, settings)
        if settings.address.path is not None and not inherited:
            await asyncio.to_thread(Path.unlink, settings.address.path, missing_ok=True)


def _port_of(listeners: list[asyncio.Server]) -> int:
    names = [one.getsockname() for listener in listeners for one in listener.sockets]
    return next((int(name[1]) for name in names if isinstance(name, tuple)), 0)


async def _last_words(guard: ConnectionGuard) -> None:
    """Wait until nobody is left who was let in and said nothing yet, or for a second."""
    await asyncio.sleep(_ROUNDS_S)
    try:
        async with asyncio.timeout(_LAST_WORDS_S):
            await guard.all_spoke.wait()
    except TimeoutError:
        return


async def _stop(
    listeners: list[asyncio.Server], handlers: FrontServer, settings: FrontSettings
) -> None:
    handlers.pre_shutdown()
    try:
        async with asyncio.timeout(settings.drain_s):
            await handlers.shutdown(settings.drain_s)
    except TimeoutError:
        await handlers.shutdown(_CUT_OFF_S)
    for listener in listeners:
        await listener.wait_closed()
