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

from relay.ops.runner import runner_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

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


def health_app(probes: Probes) -> web.Application:
    """The three routes."""

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=probes.exposition(), headers={"Content-Type": METRICS_MEDIA_TYPE})

    async def livez(_request: web.Request) -> web.Response:
        return _verdict(None if probes.alive() else "a part of the daemon does not respond")

    async def readyz(_request: web.Request) -> web.Response:
        return _verdict(probes.ready())

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    return app


@asynccontextmanager
async def serve_health(address: ListenAddress, probes: Probes) -> AsyncIterator[int]:
    """Serve the routes while the context is open; gives the port it listens on.

    Raises:
        OSError: the address cannot be used.
    """
    runner = runner_of(health_app(probes))
    await runner.setup()
    try:
        await web.TCPSite(runner, address.host, address.port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _verdict(reason: str | None) -> web.Response:
    status = 200 if reason is None else 503
    return web.Response(text="ok\n" if reason is None else f"{reason}\n", status=status)
