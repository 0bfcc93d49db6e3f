"""What operators ask and order about changes: lists, one with its attempts, retry, drop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.clock import age_s
from relay.errors import RelayError
from relay.ops.errors import NotFound
from relay.orders.arguments import filter_of, why_of
from relay.orders.explaining import told_of
from relay.store.operate.listing import ChangeFilter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relay.clock import Clock
    from relay.delivery.holds import Holds
    from relay.ops.control import Route
    from relay.rules.types import Json, JsonObject
    from relay.store import Store


class ChangeOrders:
    """Answers `changes list`, `changes show`, `changes retry` and `changes drop`.

    Args:
        store: whose changes.
        holds: which of them a change waits for.
        clock: time.
    """

    def __init__(self, store: Store, holds: Holds, clock: Clock) -> None:
        self._store = store
        self._holds = holds
        self._clock = clock

    def routes(self) -> dict[str, Route]:
        """What the control socket answers."""
        return {
            "changes/list": self._list,
            "changes/show": self._show,
            "changes/retry": self._retry,
            "changes/drop": self._drop,
        }

    async def _list(self, arguments: JsonObject, _actor: str) -> Json:
        limit = arguments.get("limit")
        wanted = filter_of(arguments, self._clock.wall())
        rows = await self._store.changes(wanted, limit if isinstance(limit, int) else 100)
        return [self._row(row) for row in rows]

    def _row(self, row: JsonObject) -> JsonObject:
        status, detail, at = row["status"], row["detail"], row["at"]
        reason = " ".join(str(part) for part in (status, detail) if part is not None)
        age = age_s(self._clock, at) if isinstance(at, int | float) else 0.0
        return {**row, "change": row["id"], "age_s": age, "reason": reason}

    async def _show(self, arguments: JsonObject, _actor: str) -> Json:
        number = arguments.get("change")
        row = await self._store.change(number) if isinstance(number, int) else None
        if row is None:
            raise NotFound(f"no change has the number {number}")
        return self._row(row) | await told_of(self._store, self._holds, row)

    async def _retry(self, arguments: JsonObject, actor: str) -> Json:
        """Try parked changes again, and waiting ones at once."""
        why = why_of(arguments)
        done: list[Json] = []
        refused: list[Json] = []
        for change in await self._chosen(arguments):
            try:
                done += await self._store.desk.retry(change, actor, why)
            except RelayError as error:
                refused.append({"change": change, "reason": str(error)})
        return {"retried": done, "refused": refused}

    async def _drop(self, arguments: JsonObject, actor: str) -> Json:
        """End changes for good; what they wrote and TFE has not taken is undone."""
        why = why_of(arguments)
        done: list[Json] = []
        refused: list[Json] = []
        for change in await self._chosen(arguments):
            try:
                await self._store.desk.drop(change, actor, why)
            except RelayError as error:
                refused.append({"change": change, "reason": str(error)})
            else:
                done.append(change)
        return {"dropped": done, "refused": refused}

    async def _chosen(self, arguments: JsonObject) -> Sequence[int]:
        """The changes that an order means, oldest first.

        Raises:
            NotFound: there are none.
            RelayError: neither numbers nor a filter were given: nothing is done by accident.
        """
        given = arguments.get("changes")
        if isinstance(given, list) and given:
            return [number for number in given if isinstance(number, int)]
        wanted = filter_of(arguments, self._clock.wall())
        if wanted == ChangeFilter():
            raise RelayError("cannot do that to everything by accident: give numbers or a filter")
        numbers = await self._store.desk.numbers(wanted)
        if not numbers:
            raise NotFound("no change matches; see `scim-relay changes list`")
        return numbers
