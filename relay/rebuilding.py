"""The order to make TFE match the directory after it was wiped, restored or replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.errors import RelayError
from relay.orders import TARGET_NOTE
from relay.store import rebuilding
from relay.store.holds import HoldName

if TYPE_CHECKING:
    from relay.clock import Clock
    from relay.delivery.keeper import Keeper
    from relay.ops.control import Route
    from relay.rules.types import Json, JsonObject
    from relay.store import Store

TURN_S: Final = 3.0
"""One answer to the command comes within about this time; it asks again until all is done."""


class Rebuilding:
    """Unlearns what is dead, then lets delivery go on."""

    def __init__(self, url: str, store: Store, keeper: Keeper, clock: Clock) -> None:
        self._url = url
        self._store = store
        self._keeper = keeper
        self._clock = clock

    def routes(self) -> dict[str, Route]:
        """What the control socket answers."""
        return {"rebuild": self._rebuild}

    async def _rebuild(self, arguments: JsonObject, actor: str) -> Json:
        """Unlearn for a few seconds; once nothing is left, lift the hold.

        Raises:
            RelayError: the hold `foreign` does not stand, or a request is under way.
        """
        if HoldName.FOREIGN not in {hold.name for hold in self._keeper.standing}:
            raise RelayError("cannot rebuild: the hold foreign does not stand; nothing is lost")
        if await self._store.run(lambda tx: rebuilding.under_way(tx.connection)):
            raise RelayError("cannot rebuild yet: a request is under way; try again in a minute")
        if arguments.get("dry_run"):
            return {"done": False, "left": await self._left()}
        end = self._clock.monotonic() + TURN_S
        while await self._store.run(rebuilding.unlearn):
            if self._clock.monotonic() >= end:
                return {"done": False, "left": await self._left()}
        await self._store.note(TARGET_NOTE, self._url)
        await self._keeper.lift(HoldName.FOREIGN, f"{actor}: {arguments.get('reason')}")
        return {"done": True, "left": {}}

    async def _left(self) -> JsonObject:
        return dict(await self._store.run(lambda tx: rebuilding.left(tx.connection)))
