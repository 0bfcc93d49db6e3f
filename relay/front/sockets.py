"""The sockets the front listens on: its own, or those that systemd holds for it.

An inherited socket outlives the process: while the relay is restarted, connections wait in its
queue instead of being refused (systemd.socket(5)). `listen.address` is not used then.
"""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict

from relay.errors import SettingsError
from relay.settings.kinds import Address

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from relay.front.guard import FrontServer
    from relay.front.settings import FrontSettings

_BACKLOG: Final = 1_024
_AT_ONCE: Final = 4
"""Connections taken in before those that are in are looked at again. asyncio takes its whole
backlog, and a thousand strangers at once are a tenth of a second of everybody's time."""


class _How(TypedDict):
    ssl: ssl.SSLContext | None
    ssl_handshake_timeout: float | None
    backlog: int


def addresses_of(settings: FrontSettings, inherited: Sequence[socket.socket]) -> list[Address]:
    """Where requests will come in.

    Raises:
        SettingsError: clear text would be served on a public address.
    """
    found = [address_of(one) for one in inherited] or [settings.address]
    for address in found:
        settings.check(address)
    return found


def address_of(listener: socket.socket) -> Address:
    """Where a socket listens, in the configuration's words."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return Address(path=Path(os.fsdecode(name)))
    return Address(str(name[0]), int(name[1]))


async def listeners(
    handlers: FrontServer,
    settings: FrontSettings,
    context: ssl.SSLContext | None,
    inherited: Sequence[socket.socket],
) -> list[asyncio.Server]:
    """Begin to take connections, on what was inherited or else on `settings.address`.

    Raises:
        SettingsError: the address cannot be bound.
    """
    loop = asyncio.get_running_loop()
    how: _How = {
        "ssl": context,
        "ssl_handshake_timeout": settings.header_deadline_s if context else None,
        "backlog": _AT_ONCE,
    }
    if inherited:
        return [_queueing(await loop.create_server(handlers, sock=one, **how)) for one in inherited]
    address = settings.address
    try:
        if address.path is None:
            return [
                _queueing(await loop.create_server(handlers, address.host, address.port, **how))
            ]
        own = _bound(address.path, settings.unix_mode)
        return [_queueing(await loop.create_unix_server(handlers, sock=own, **how))]
    except OSError as error:
        raise SettingsError(
            [f"listen.address: cannot listen on {address}: {error}; choose a free address"]
        ) from error


def _queueing(server: asyncio.Server) -> asyncio.Server:
    """Let the kernel keep more waiting than asyncio takes in at once: listen(2) again says so."""
    for one in server.sockets:
        with socket.socket(fileno=os.dup(one.fileno())) as same:
            same.listen(_BACKLOG)
    return server


def _bound(path: Path, mode: int) -> socket.socket:
    """A socket whose file never stands there with a wider mode than it ends with.

    What a dead process left is replaced; a living one cannot be there, since the store was opened.
    """
    if path.is_socket():
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~mode)
    try:
        listener.bind(str(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener
