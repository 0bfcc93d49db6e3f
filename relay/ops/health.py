"""What machines ask of the relay: `/metrics`, `/livez`, `/readyz`.

`/livez` says that the loop and the writer are alive; `/readyz` that a change can be accepted
durably, *whatever state TFE is in*: buffering is the point. Nothing here needs a token, and
nothing here tells more than the answer.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from aiohttp import web

from relay.front.guard import FrontProtocol, FrontServer
from relay.ops.runner import END_S, KEEPALIVE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from relay.front.guard import ConnectionGuard

METRICS_MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class ListenAddress(Protocol):
    """The part of `relay.settings.Address` that is needed here."""

    @property
    def host(self) -> str:
        """A name or an IP address."""
        ...

    @property
    def port(self) -> int:
        """0 asks for a free one."""
        ...


@dataclass(frozen=True, slots=True)
class Probes:
    """What the answers are made of.

    Attributes:
        alive: whether the loop's tasks and the store's writer make progress.
        ready: why a change cannot be accepted now, or None if it can.
        exposition: the metrics, as Prometheus reads them.
    """

    alive: Callable[[], bool]
    ready: Callable[[], str | None]
    exposition: Callable[[], bytes]


@asynccontextmanager
async def serve_health(
    address: ListenAddress, probes: Probes, guard: ConnectionGuard
) -> AsyncIterator[int]:
    """Serve the routes while the context is open; gives the port it listens on.

    Args:
        address: where.
        probes: what the answers are made of.
        guard: of so many connections: whoever opens more uses up no descriptors of the front's.

    Raises:
        OSError: the address cannot be used.
    """
    runner = web.ServerRunner(
        FrontServer(_answering(probes), guard, KEEPALIVE_S), shutdown_timeout=END_S
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, address.host, address.port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _answering(probes: Probes) -> Callable[[web.BaseRequest], Awaitable[web.Response]]:
    def metrics() -> web.Response:
        return web.Response(body=probes.exposition(), headers={"Content-Type": METRICS_MEDIA_TYPE})

    def livez() -> web.Response:
        return _verdict(None if probes.alive() else "a part of the daemon does not respond")

    def readyz() -> web.Response:
        return _verdict(probes.ready())

    routes = {"/metrics": metrics, "/livez": livez, "/readyz": readyz}

    async def answer(request: web.BaseRequest) -> web.Response:
        protocol = request.protocol
        assert isinstance(protocol, FrontProtocol)
        protocol.began()
        try:
            route = routes.get(request.path)
            if route is None:
                return web.Response(status=404, text=f"not found; there are {', '.join(routes)}\n")
            if request.method not in {"GET", "HEAD"}:
                return web.Response(status=405, text="GET it\n", headers={"Allow": "GET, HEAD"})
            return route()
        finally:
            protocol.ended()

    return answer


def _verdict(reason: str | None) -> web.Response:
    status = 200 if reason is None else 503
    return web.Response(text="ok\n" if reason is None else f"{reason}\n", status=status)
