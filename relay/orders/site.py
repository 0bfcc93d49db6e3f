"""What operators ask and order of TFE's own side: a look, and a new token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.ops.errors import NotFound
from relay.site.telling import told, users_told

if TYPE_CHECKING:
    from relay.clock import Clock
    from relay.ops.control import Route
    from relay.rules.types import Json, JsonObject
    from relay.site.watch import SiteWatch


class SiteOrders:
    """Answers `site` and `token rotate`.

    Args:
        site: watches it; None without its admin API.
        clock: time.
    """

    def __init__(self, site: SiteWatch | None, clock: Clock) -> None:
        self._watch = site
        self._clock = clock

    def routes(self) -> dict[str, Route]:
        """What the control socket answers."""
        return {"site": self._site, "token/rotate": self._rotate}

    async def _site(self, arguments: JsonObject, _actor: str) -> Json:
        """TFE's own side, read anew; or its users one by one."""
        if self._watch is None:
            raise NotFound("no admin API is configured; see admin_api.url")
        await self._watch.look(everything=True)
        if arguments.get("users"):
            return users_told(self._watch)
        return told(self._watch, self._clock.wall())

    async def _rotate(self, arguments: JsonObject, actor: str) -> Json:
        """Replace the SCIM token in `target.token_file`."""
        if self._watch is None:
            raise NotFound("no admin API is configured; see admin_api.url")
        step = await self._watch.rotate(f"{actor}: {arguments.get('reason')}")
        return {"new": step.new, "description": step.description, "deleted": step.old}
