"""What operators reach: the control socket with all its routes, and the health server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from relay.auditors import Auditors
from relay.bundling import Bundling
from relay.comparing import Comparing
from relay.connections import ConnectionOrders
from relay.erasing import Erasing
from relay.explaining import Explaining
from relay.ops.control import serve_control
from relay.ops.health import Probes, serve_health
from relay.orders import Orders
from relay.oversize import Oversize
from relay.rebuilding import Rebuilding
from relay.site.ordering import LinkOrders

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from relay.draining import Draining
    from relay.front.auth import TokenTable
    from relay.ops.control import Route
    from relay.reloading import Reloading
    from relay.settings import Settings
    from relay.site.expiry import ConfiguredEnd
    from relay.site.watch import SiteWatch
    from relay.supervision import Parts


@dataclass(frozen=True, slots=True)
class Seen:
    """What operators see besides delivery's parts.

    Attributes:
        site: watches TFE's own side, or None without its admin API.
        end: of TFE's token, by the configuration.
        draining: whether writes are taken.
        tokens: the connections and their live tokens.
        reloading: reads them again.
    """

    site: SiteWatch | None
    end: ConfiguredEnd
    draining: Draining
    tokens: TokenTable
    reloading: Reloading


async def operated(settings: Settings, parts: Parts, seen: Seen, stack: AsyncExitStack) -> int:
    """Serve operators for as long as `stack` is open; the health server's port, 0 without one."""
    parts.reporter.site, parts.reporter.draining = seen.site, seen.draining
    parts.reporter.tokens, parts.reporter.end = seen.tokens, seen.end
    await stack.enter_async_context(
        serve_control(settings.control_socket, _routes(settings, parts, seen))
    )
    if settings.metrics.address is None:
        return 0

    def ready() -> str | None:
        return "the disk is nearly full" if parts.store.directory.full else None

    probes = Probes(parts.alive, ready, parts.metrics.exposition)
    return await stack.enter_async_context(serve_health(settings.metrics.address, probes))


def _routes(settings: Settings, parts: Parts, seen: Seen) -> dict[str, Route]:
    store = parts.store
    orders = Orders(settings, store, parts.keeper, parts.clock)
    rebuilding = Rebuilding(store, parts.rebuilder)
    comparing = Comparing(store, parts.reconciler, parts.clock)
    connections = ConnectionOrders(seen.tokens, store, parts.clock)
    routes = parts.reporter.routes() | orders.routes() | comparing.routes()
    routes |= rebuilding.routes() | seen.draining.routes() | connections.routes()
    routes |= Auditors(store).routes() | Erasing(store).routes()
    routes |= Oversize(store, seen.site).routes() | seen.reloading.routes()
    routes |= Explaining(store, parts.keeper, parts.importer, seen.site).routes()
    if seen.site is not None:
        routes |= LinkOrders(seen.site.linking).routes()
    return routes | Bundling(settings, routes, store, parts.metrics).routes()
