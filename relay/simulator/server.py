"""The stand-in on a real socket: `async with simulator() as sim:`.

aiohttp carries the bytes; everything else is `service` and `control`. A handler is not cancelled
when its client goes away: a request that was taken has its effect, as in TFE.
"""

from __future__ import annotations

import socket
import struct
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from aiohttp import web

from relay.simulator.admin.routes import ROOT
from relay.simulator.admin.surface import AdminSurface
from relay.simulator.control import add_control
from relay.simulator.log import Arrival
from relay.simulator.service import Ending, Reply, Service
from relay.simulator.tfe import Tfe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from relay.clock import Clock, Ids, Rng
    from relay.simulator.behaviour import SimulatorSettings

READ_LIMIT_BYTES: Final = 256_000_000
"""Bodies past this are not even read; the contract's own limit is far below."""

SHUTDOWN_S: Final = 0.1
"""How long open requests may go on when the stand-in stops."""


class Simulator(Tfe):
    """A stand-in that listens.

    Attributes:
        port: where.
    """

    port: int = 0

    @property
    def origin(self) -> str:
        """`http://HOST:PORT`."""
        host = self.settings.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def url(self) -> str:
        """The SCIM base URL."""
        return self.origin + self.settings.base_path

    @property
    def admin_url(self) -> str:
        """The address of TFE's admin API, as HashiCorp's clients want it: without `/api/v2`."""
        return self.origin

    @property
    def control_url(self) -> str:
        """The control API's base URL."""
        return f"{self.origin}/_simulator"


@asynccontextmanager
async def simulator(
    settings: SimulatorSettings | None = None,
    *,
    clock: Clock | None = None,
    ids: Ids | None = None,
    rng: Rng | None = None,
) -> AsyncIterator[Simulator]:
    """A stand-in that listens for as long as the block lasts.

    Raises:
        OSError: the address is in use.
    """
    sim = Simulator(settings, clock=clock, ids=ids, rng=rng)
    async with listening(sim):
        yield sim


@asynccontextmanager
async def listening(sim: Simulator) -> AsyncIterator[None]:
    """Listen for as long as the block lasts; again later, at the same port, with all it holds.

    Between two blocks connections are refused, as during a restart of TFE.

    Raises:
        OSError: the address is in use.
    """
    runner = web.AppRunner(_application(sim), access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, sim.settings.host, sim.port or sim.settings.port)
        await site.start()
        sim.port = runner.addresses[0][1]
        yield
    finally:
        sim.faults.clear()
        await runner.cleanup()


def _application(sim: Simulator) -> web.Application:
    app = web.Application(client_max_size=READ_LIMIT_BYTES)
    add_control(app, sim)
    base = sim.settings.base_path
    app.router.add_route("*", base + "{path:(/.*)?}", _endpoint(Service(sim), len(base)))
    admin = Service(sim, AdminSurface(sim))
    app.router.add_route("*", ROOT + "{path:(/.*)?}", _endpoint(admin, 0))
    return app


def _endpoint(
    service: Service, base_length: int
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        head = _head(request, base_length)
        ticket = service.arrive(head)
        body = await request.read()
        return await _send(request, await service.respond(ticket, replace(head, body=body)))

    return answer


def _head(request: web.Request, base_length: int) -> Arrival:
    return Arrival(
        method=request.method,
        path=request.path[base_length:],
        query=dict(request.query.items()),
        authorization=request.headers.get("Authorization"),
        content_type=request.content_type.lower() if "Content-Type" in request.headers else "",
        request_id=request.headers.get("X-Request-Id"),
        user_agent=request.headers.get("User-Agent"),
    )


async def _send(request: web.Request, reply: Reply) -> web.StreamResponse:
    if reply.ending is Ending.RESET:
        _reset(request)
        return web.Response(status=500)
    whole = web.Response(status=reply.status, body=reply.body, headers=reply.headers)
    if reply.ending is Ending.WHOLE:
        return whole
    cut = web.StreamResponse(status=reply.status, headers=reply.headers)
    cut.content_length = max(1, len(reply.body))
    await cut.prepare(request)
    await cut.write(reply.body[: len(reply.body) // 2])
    _reset(request)
    return cut


def _reset(request: web.Request) -> None:
    """Drop the connection with a TCP reset: no lingering, so close sends RST (socket(7))."""
    if request.transport is None:
        return
    connection = request.transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
