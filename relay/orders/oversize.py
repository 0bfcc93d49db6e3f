"""What operators see of groups that are larger than TFE takes, and the order to compact one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relay.ops.control import Route
    from relay.rules.types import Json, JsonObject
    from relay.site.watch import SiteWatch
    from relay.store import Store


class Oversize:
    """Lists parts with the teams that follow them.

    Args:
        store: knows the parts.
        site: knows the teams; None without the admin API.
    """

    def __init__(self, store: Store, site: SiteWatch | None) -> None:
        self._store = store
        self._site = site

    def routes(self) -> dict[str, Route]:
        """What the control socket answers."""
        return {"groups/parts": self._parts, "groups/compact": self._compact}

    async def _parts(self, _arguments: JsonObject, _actor: str) -> Json:
        """Every part; `linked` is null where nobody can tell."""
        linked = None if self._site is None else self._site.seen.linked_groups
        return [
            {
                "group": one.group,
                "part": one.name,
                "members": one.members,
                "refused": one.refused,
                "linked": None if linked is None else one.name.casefold() in linked,
            }
            for one in await self._store.desk.parts()
        ]

    async def _compact(self, arguments: JsonObject, actor: str) -> Json:
        """Delete a group's empty parts."""
        named, reason = str(arguments.get("group")), str(arguments.get("reason"))
        deleted: list[Json] = [*await self._store.desk.compact(named, actor, reason)]
        return {"deleted": deleted}
