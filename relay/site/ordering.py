"""What operators order and ask of team links over the control socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.ops.errors import NotFound

if TYPE_CHECKING:
    from relay.ops.control import Route
    from relay.rules.types import Json, JsonObject
    from relay.site.linking import Linking


class LinkOrders:
    """Shows the plan, and orders that it be carried out.

    Args:
        linking: makes links; None without TFE's admin API.
    """

    def __init__(self, linking: Linking | None) -> None:
        self._made_by = linking

    @property
    def _linking(self) -> Linking:
        if self._made_by is None:
            raise NotFound("no admin API is configured; see admin_api.url")
        return self._made_by

    def routes(self) -> dict[str, Route]:
        """What the control socket answers."""
        return {"links/plan": self._plan, "links/apply": self._apply}

    async def _plan(self, _arguments: JsonObject, _actor: str) -> Json:
        """How every team stands, and whether an order is being carried out."""
        order = await self._linking.ordered()
        items: list[Json] = [
            {
                "group": one.group,
                "team": one.team,
                "standing": one.standing.value,
                "detail": one.detail,
            }
            for one in await self._linking.plan()
        ]
        return {"ordered": None if order is None else order.ordered, "links": items}

    async def _apply(self, arguments: JsonObject, actor: str) -> Json:
        """Order it; `unlink`: what is not declared goes."""
        ordered = f"{actor}: {arguments.get('reason')}"
        await self._linking.order(ordered, unlink=bool(arguments.get("unlink")))
        return {"ordered": ordered}
