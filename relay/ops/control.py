"""The control socket: how `scim-relay status` and its sisters reach the running daemon.

HTTP with JSON bodies over a unix socket of mode 0660 in a directory of mode 0750: who may open
the file may give orders, as with any service's socket; nobody else can. Commands go through the
daemon because it alone writes to the database (guarantees section 4). A route is a name and a
coroutine that `app` hands over; this module knows none of them. A route is told who asks, as the
kernel knows it, so that the audit log does not depend on what a client says of itself.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import orjson
from aiohttp import web

from relay import __version__
from relay.errors import RelayError, SettingsError
from relay.ops.client import VERSION
from relay.ops.errors import NotFound
from relay.ops.runner import runner_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    from relay.rules.types import Json, JsonObject

    Route = Callable[[JsonObject, str], Awaitable[Json]]

_MAX_REQUEST_BYTES: Final = 1_000_000
_BODY_S: Final = 10.0
"""A request's body comes within this: a client that stopped in the middle holds nobody up."""
_SOCKET_MODE: Final = 0o660
_DIRECTORY_MODE: Final = 0o750
_UCRED: Final = "3i"  # struct ucred: pid, uid, gid
MAX_PATH_BYTES: Final = 107  # sockaddr_un of Linux, without the closing NUL


def control_app(routes: Mapping[str, Route]) -> web.Application:
    """`POST /NAME` with the arguments as a JSON object, for every name in `routes`."""
    app = web.Application(client_max_size=_MAX_REQUEST_BYTES)
    app.on_response_prepare.append(_told_version)
    for name, route in routes.items():
        app.router.add_post(f"/{name}", _answering(route))
    return app


@asynccontextmanager
async def serve_control(path: Path, routes: Mapping[str, Route]) -> AsyncIterator[None]:
    """Serve the routes on a unix socket while the context is open; removes it afterwards.

    Raises:
        SettingsError: the path is too long, in use by a living process, or not a socket.
    """
    _prepare(path)
    runner = runner_of(control_app(routes))
    await runner.setup()
    try:
        listener = _bound(path)
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()
        _remove(path)


async def _told_version(_request: web.Request, response: web.StreamResponse) -> None:
    """So that a command of another release can say why it is not understood."""
    response.headers[VERSION] = __version__


def _answering(route: Route) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(_BODY_S):
                text = await request.read()
        except TimeoutError:
            return _json({"error": f"cannot read the request: it took over {_BODY_S:g} s"}, 408)
        try:
            arguments = orjson.loads(text or b"{}")
        except orjson.JSONDecodeError:
            return _json({"error": "cannot read the request: it is not JSON"}, 400)
        if not isinstance(arguments, dict):
            return _json({"error": "cannot read the request: it is not a JSON object"}, 400)
        try:
            return _json(await route(arguments, actor_of(request.transport)), 200)
        except NotFound as error:
            return _json({"error": str(error)}, 404)
        except RelayError as error:
            return _json({"error": str(error)}, 409)

    return answer


def actor_of(transport: asyncio.BaseTransport | None) -> str:
    """Who is at the other end of a unix socket: `NAME (uid N)`."""
    peer = None if transport is None else transport.get_extra_info("socket")
    if peer is None or peer.family != socket.AF_UNIX:
        return "unknown"
    size = struct.calcsize(_UCRED)
    _pid, uid, _gid = struct.unpack(
        _UCRED, peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    )
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = "nobody known"
    return f"{name} (uid {uid})"


def _json(body: Json, status: int) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def _bound(path: Path) -> socket.socket:
    """A listening socket whose file never stands there with a wider mode than it ends with."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~_SOCKET_MODE)
    try:
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise SettingsError(
            [f"control.socket: cannot listen on {path} ({error.strerror}); name another path"]
        ) from None
    finally:
        os.umask(before)
    return listener


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _prepare(path: Path) -> None:
    """Make the directory, remove the socket of a daemon that died, never take a living one's."""
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise SettingsError(
            [f"control.socket: {path} is longer than {MAX_PATH_BYTES} bytes; name a shorter path"]
        )
    path.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
    if not path.exists():
        return
    if not path.is_socket():
        raise SettingsError([f"control.socket: {path} is not a socket; name another path"])
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise SettingsError([f"control.socket: another daemon answers on {path}; stop it first"])
