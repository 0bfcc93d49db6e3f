"""The order to make TFE match the directory after it was wiped, restored or replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.store.compare import rebuilding

if TYPE_CHECKING:
    from relay.delivery.rebuilder import Rebuilder
    from relay.ops.control import Route
    from relay.rules.types import Json, JsonObject
    from relay.store import Store
    from relay.store.compare.rebuilding import Rebuild


class Rebuilding:
    """Begins a rebuild and tells how far it is."""

    def __init__(self, store: Store, rebuilder: Rebuilder) -> None:
        self._store = store
        self._rebuilder = rebuilder

    def routes(self) -> dict[str, Route]:
        """What the control socket answers."""
        return {"rebuild": self._rebuild, "rebuild/show": self._show, "ids": self._ids}

    async def _rebuild(self, arguments: JsonObject, actor: str) -> Json:
        """Begin one, or go on with the one under way; a dry run only counts.

        Raises:
            RelayError: the hold `foreign` does not stand, or a request is under way.
        """
        if arguments.get("dry_run"):
            found = await self._store.run(lambda tx: rebuilding.left(tx.connection))
            return {"done": False, "left": dict[str, "Json"](found)}
        ordered = f"{actor}: {arguments.get('reason')}"
        return told(await self._rebuilder.order(ordered, rebind=bool(arguments.get("rebind"))))

    async def _ids(self, arguments: JsonObject, _actor: str) -> Json:
        """A page of who has which ids, behind the row `after`."""
        after = arguments.get("after")
        begin = after if isinstance(after, int) else 0
        return [*await self._store.ids(begin, minted=not arguments.get("all"))]

    async def _show(self, _arguments: JsonObject, _actor: str) -> Json:
        at = await self._rebuilder.state()
        return None if at is None else told(at)


def told(at: Rebuild) -> JsonObject:
    """A rebuild in a few fields."""
    return {
        "done": at.done,
        "rebind": at.rebind,
        "reading": None if at.done or at.start is None else at.kind.value,
        "adopted": at.adopted,
        "missing": at.missing,
        "strangers": at.strangers,
        "ordered": at.ordered,
    }
