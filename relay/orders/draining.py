"""The order to take no more writes and deliver what is there: before an upgrade or a farewell.

Identity providers are answered 503 with `Retry-After` and come again; reads go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from relay.ops.errors import NotFound
from relay.orders.arguments import why_of
from relay.store.operate import draining

if TYPE_CHECKING:
    from relay.ops.control import Route
    from relay.rules.types import Json, JsonObject
    from relay.store import Store


class Draining:
    """Closes the front to writes, and opens it again."""

    def __init__(self, store: Store, reason: str | None) -> None:
        self._store = store
        self.reason = reason
        """Why no writes are taken, or None when they are."""

    @classmethod
    async def of(cls, store: Store) -> Self:
        """As the process before this one left it."""
        return cls(store, await store.run(draining.why))

    def routes(self) -> dict[str, Route]:
        """What the control socket answers."""
        return {"drain": self._drain}

    async def _drain(self, arguments: JsonObject, actor: str) -> Json:
        """Begin, look or end; how much is left.

        Raises:
            NotFound: there is nothing to end.
            RelayError: no reason is given.
        """
        if not arguments.get("look"):
            await self._ordered(why_of(arguments), actor, end=bool(arguments.get("end")))
        now = await self._store.snapshot()
        return {
            "draining": self.reason,
            "pending": now.counters["pending"],
            "held_effects": now.held,
            "holds": [hold.name.value for hold in now.holds],
        }

    async def _ordered(self, reason: str, actor: str, *, end: bool) -> None:
        if end:
            if self.reason is None:
                raise NotFound("the relay is not draining: it takes writes")
            await self._store.run(lambda tx: draining.end(tx, actor, reason))
            self.reason = None
        elif self.reason is None:
            await self._store.run(lambda tx: draining.begin(tx, actor, reason))
            self.reason = reason
