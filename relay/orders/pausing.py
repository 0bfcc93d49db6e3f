"""Pausing, and lifting the holds that only an operator ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.errors import RelayError
from relay.ops.errors import NotFound
from relay.orders.arguments import why_of
from relay.orders.comparing import being_read
from relay.store.compare.binding import TARGET_NOTE
from relay.store.state.holds import HoldName

if TYPE_CHECKING:
    from relay.delivery.holds import Holds
    from relay.ops.control import Route
    from relay.rules.types import Json, JsonObject
    from relay.store import Store


_BY_RESUME: Final = (HoldName.OPERATOR, HoldName.FOREIGN, HoldName.RESTORED)


class Pausing:
    """Answers `pause` and `resume`.

    Args:
        url: of the target; what `resume foreign` binds the database to.
        store: whose holds.
        holds: raised and lifted here.
    """

    def __init__(self, url: str, store: Store, holds: Holds) -> None:
        self._url = url
        self._store = store
        self._holds = holds

    def routes(self) -> dict[str, Route]:
        """What the control socket answers."""
        return {"pause": self._pause, "resume": self._resume}

    async def _pause(self, arguments: JsonObject, actor: str) -> Json:
        """Send nothing until `resume`; accepting goes on."""
        await self._holds.raise_hold(HoldName.OPERATOR, f"{actor}: {why_of(arguments)}")
        return {"hold": HoldName.OPERATOR.value}

    async def _resume(self, arguments: JsonObject, actor: str) -> Json:
        """Lift a hold that only an operator ends.

        Raises:
            NotFound: it does not stand, or lifts by itself.
        """
        name = arguments.get("hold")
        if name not in _BY_RESUME or HoldName(str(name)) not in self._holds:
            raise NotFound(f"no hold {name} stands that an operator could lift")
        ordered = f"{actor}: {why_of(arguments)}"
        if name == HoldName.RESTORED:
            await self._decide_restored(arguments.get("keep"), ordered)
        if name == HoldName.FOREIGN:
            await self._store.note(TARGET_NOTE, self._url)
        await self._holds.lift(HoldName(str(name)), ordered)
        return {"lifted": str(name)}

    async def _decide_restored(self, keep: Json, ordered: str) -> None:
        """Say who is right where TFE and a restored database differ.

        Raises:
            RelayError: TFE was not read whole yet, or nobody was named.
        """
        if not await self._store.comparison.restored():
            standing = (hold.name for hold in self._holds.standing)
            raise RelayError(f"cannot decide yet: {being_read(standing)}")
        if keep == "target":
            await self._store.desk.follow_target(ordered)
        elif keep != "directory":
            raise RelayError("say who is right: --keep target or --keep directory")
