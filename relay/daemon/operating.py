"""What operators reach: the control socket with all its routes, and the health server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from relay.front.guard import ConnectionGuard
from relay.front.ports import Refusal
from relay.ops.control import serve_control
from relay.ops.health import Probes, serve_health
from relay.ops.runner import HEAD_S
from relay.orders.audit import Auditors
from relay.orders.backup import Backup
from relay.orders.bundling import Bundling
from relay.orders.changes import ChangeOrders
from relay.orders.comparing import Comparing
from relay.orders.connections import ConnectionOrders
from relay.orders.erasing import Erasing
from relay.orders.explaining import Explaining
from relay.orders.holds import HoldOrders
from relay.orders.oversize import Oversize
from relay.orders.pausing import Pausing
from relay.orders.rebuilding import Rebuilding
from relay.orders.site import SiteOrders
from relay.orders.status import Seen, Status
from relay.site.ordering import LinkOrders

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from relay.daemon.parts import Parts
    from relay.daemon.reloading import Reloading
    from relay.ops.control import Route
    from relay.settings import Settings


class Orders(Protocol):
    """Something that answers requests of the control socket."""

    def routes(self) -> dict[str, Route]:
        """By name, what answers."""
        ...


async def operated(
    settings: Settings, parts: Parts, seen: Seen, reloading: Reloading, stack: AsyncExitStack
) -> int:
    """Serve operators for as long as `stack` is open; the health server's port, 0 without one."""
    backup = Backup(parts.store)
    routes = _routes(settings, parts, seen, reloading) | backup.routes()
    await stack.enter_async_context(serve_control(settings.control_socket, routes))
    stack.callback(backup.give_up)
    if settings.metrics.address is None:
        return 0

    def ready() -> str | None:
        return parts.store.directory.closed

    probes = Probes(parts.alive, ready, parts.metrics.exposition)
    guard = ConnectionGuard(
        settings.metrics.max_connections,
        HEAD_S,
        lambda _reason: parts.metrics.front.refused(Refusal.MONITORS),
    )
    return await stack.enter_async_context(serve_health(settings.metrics.address, probes, guard))


def _routes(settings: Settings, parts: Parts, seen: Seen, reloading: Reloading) -> dict[str, Route]:
    store, keeper, clock = parts.store, parts.keeper, parts.clock
    holds = keeper.holds
    orders: list[Orders] = [
        Status(settings, store, parts.pacer, parts.importer, keeper, clock, seen),
        Pausing(settings.target.url, store, holds),
        HoldOrders(store, clock),
        ChangeOrders(store, holds, clock),
        Comparing(store, parts.reconciler, clock),
        Rebuilding(store, parts.rebuilder),
        seen.draining,
        ConnectionOrders(seen.tokens, store, clock),
        Auditors(store),
        Erasing(store),
        Oversize(store, seen.site),
        reloading,
        Explaining(store, holds, parts.importer, seen.site),
        SiteOrders(seen.site, clock),
        LinkOrders(None if seen.site is None else seen.site.linking),
    ]
    routes = {name: route for one in orders for name, route in one.routes().items()}
    return routes | Bundling(settings, routes, store, parts.metrics).routes()
