"""`Comparison`: the part of the store's door that comparing TFE with *confirmed* goes through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from relay.store.compare import restoring, sweeping

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from relay.rules.shadow import TargetResource
    from relay.store.compare.restoring import Unread
    from relay.store.compare.sweeping import Difference, Sweep, Unnamed
    from relay.store.file.engine import Connection
    from relay.store.file.transaction import Transaction

    Insist = Callable[[Callable[[Transaction], Any]], Awaitable[Any]]
    Ask = Callable[[Callable[[Connection], Any]], Awaitable[Any]]

T = TypeVar("T")


class Comparison:
    """Each method is one transaction or one query.

    Args:
        insist: runs a transaction, however long the disk takes nothing.
        ask: runs a query.
    """

    def __init__(self, insist: Insist, ask: Ask) -> None:
        self._insist = insist
        self._ask = ask

    async def _wrote(self, operation: Callable[[Transaction], T]) -> T:
        result: T = await self._insist(operation)
        return result

    async def _found(self, query: Callable[[Connection], T]) -> T:
        result: T = await self._ask(query)
        return result

    async def sweep(self) -> Sweep:
        """The last comparison, or the one under way."""
        return await self._found(sweeping.read)

    async def begin(self, *, mend: bool) -> Sweep:
        """Begin a comparison; what the last one found is forgotten."""
        return await self._wrote(lambda tx: sweeping.begin(tx, mend=mend))

    async def postpone(self) -> Sweep:
        """Have the first comparison wait a whole interval."""
        return await self._wrote(sweeping.postpone)

    async def page(
        self, at: Sweep, resources: Sequence[TargetResource], total: int, began: float
    ) -> Sweep:
        """Compare one page of TFE's."""
        return await self._wrote(lambda tx: sweeping.compare_page(tx, at, resources, total, began))

    async def one(
        self, at: Sweep, of: Unnamed, found: TargetResource | None, began: float
    ) -> Sweep:
        """Compare one resource that no page named; None: TFE does not have it."""
        return await self._wrote(lambda tx: sweeping.compare_one(tx, at, of, found, began))

    async def next_kind(self, at: Sweep, instead: Mapping[int, TargetResource]) -> Sweep:
        """Go on from users to groups, from groups to the end; what is missing is created again."""
        return await self._wrote(lambda tx: sweeping.next_kind(tx, at, instead))

    async def unnamed(self, at: Sweep) -> Sequence[Unnamed]:
        """Some of what no page of this sweep named."""
        return await self._found(lambda connection: sweeping.unnamed(connection, at))

    async def idle(self) -> bool:
        """Whether no lane has anything to send now."""
        return await self._found(sweeping.idle)

    async def differences(self) -> Sequence[Difference]:
        """What the last sweep found, the first of it."""
        return await self._found(sweeping.differences)

    # --- after a restore -------------------------------------------------------------------

    async def restored(self) -> bool:
        """Whether a restored database was compared whole with TFE."""
        return await self._wrote(restoring.compared)

    async def unread(self, after: int) -> Sequence[Unread]:
        """Some of what no page named since the database was restored, behind a row."""
        return await self._found(lambda connection: restoring.unread(connection, after))

    async def lost(self, one: Unread, began: float) -> None:
        """TFE has one of those no more."""
        await self._wrote(lambda tx: restoring.lost(tx, one, began))

    async def read_whole(self) -> None:
        """Each of those was asked for."""
        await self._wrote(restoring.end)
