"""Makes declared team links within TFE's ten a minute, and goes on after a restart.

What is to be done is never noted, only that it was ordered: each round compares what is declared
with what TFE shows. A group that is not there yet is waited for, so that a rebuild's links follow
its groups.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import structlog

from relay.site.links import Estate, Item, Standing, Wanted, explained, plan
from relay.store.compare import site as stored
from relay.target.admin import AdminFailed, Reason
from relay.telemetry import events

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from relay.store.file.transaction import Transaction
    from relay.target.admin import AdminReader, AdminWriter

log = structlog.get_logger(__name__)

T = TypeVar("T")

AGAIN_S: Final = 120.0
"""Between two looks: at whether a rebuild left an order, and while a group is waited for."""

TRIES: Final = 3
"""A link that TFE answers with 500 is tried so often (contract: `to be retried`)."""


class Store(Protocol):
    """Where the order is kept, and what is known of groups."""

    async def note(self, key: str, value: str) -> None:
        """Keep a fact."""
        ...

    async def noted(self, key: str) -> str | None:
        """A fact kept by `note`."""
        ...

    async def run(self, operation: Callable[[Transaction], T]) -> T:
        """Run one transaction."""
        ...


@dataclass(frozen=True, slots=True)
class Order:
    """What was ordered: by whom, and whether what is not declared is unlinked."""

    ordered: str
    unlink: bool = False


class Linking:
    """Plans and applies team links.

    Args:
        reader: what TFE has.
        writer: links and unlinks.
        store: the order, and parts of overflowed groups.
        wanted: the declared links.
    """

    def __init__(
        self, reader: AdminReader, writer: AdminWriter, store: Store, wanted: Sequence[Wanted]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._store = store
        self._wanted = wanted
        self._failed: dict[str, AdminFailed] = {}
        self._tries: dict[str, int] = {}
        self._news = asyncio.Event()

    async def plan(self) -> list[Item]:
        """How every team stands now, with what failed in the last order.

        Raises:
            AdminFailed: TFE does not tell.
        """
        return [self._with_failure(item) for item in plan(self._wanted, await self._estate())]

    async def order(self, ordered: str, *, unlink: bool) -> None:
        """Make what is declared so."""
        self._failed.clear()
        self._tries.clear()
        await self._store.note(stored.LINKS_NOTE, json.dumps([ordered, unlink]))
        self._news.set()

    async def ordered(self) -> Order | None:
        """The order that is being carried out, or None."""
        noted = await self._store.noted(stored.LINKS_NOTE)
        return Order(*json.loads(noted)) if noted else None

    async def run(self) -> None:
        """Carry out what is ordered, until cancelled."""
        while True:
            self._news.clear()
            order = await self.ordered()
            if order is not None and await self._round(order):
                await self._store.note(stored.LINKS_NOTE, "")
            try:
                async with asyncio.timeout(AGAIN_S):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _round(self, order: Order) -> bool:
        """Do all that can be done now; whether nothing is left to be done or waited for."""
        try:
            items = await self.plan()
            for item in items:
                await self._do(item, order)
            items = await self.plan()
        except AdminFailed as error:
            log.error(events.TEAM_NOT_LINKED, team=None, group=None, reason=str(error))  # noqa: TRY400 - TFE's trouble
            return False
        return not any(item.standing in (Standing.TO_LINK, Standing.NO_GROUP) for item in items)

    async def _do(self, item: Item, order: Order) -> None:
        assert item.team_id is not None or item.standing is Standing.NO_TEAM
        try:
            match item:
                case Item(standing=Standing.UNDECLARED, team_id=str(team)) if order.unlink:
                    await self._writer.unlink(team)
                case Item(standing=Standing.OTHER, team_id=str(team), group_id=str(group)) if (
                    order.unlink
                ):
                    await self._writer.unlink(team)
                    await self._writer.link(team, group)
                case Item(standing=Standing.TO_LINK, team_id=str(team), group_id=str(group)):
                    await self._writer.link(team, group)
                case _:
                    return
        except AdminFailed as error:
            self._note_failure(item, error)
            return
        log.info(events.TEAM_LINKED, team=item.team, group=item.group, what=item.standing.value)

    def _note_failure(self, item: Item, error: AdminFailed) -> None:
        """A refusal is final until the next order; trouble of TFE's is tried again a few times."""
        if error.reason in (Reason.TOKEN, Reason.NOT_ALLOWED, Reason.THROTTLED):
            raise error
        assert item.team_id is not None
        tries = self._tries[item.team_id] = self._tries.get(item.team_id, 0) + 1
        if error.reason is not Reason.DOWN or tries >= TRIES:
            self._failed[item.team_id] = error
        why = explained(error)
        log.error(events.TEAM_NOT_LINKED, team=item.team, group=item.group, reason=why)

    def _with_failure(self, item: Item) -> Item:
        error = self._failed.get(item.team_id or "")
        if error is None or item.standing is Standing.LINKED:
            return item
        return replace(item, standing=Standing.FAILED, detail=explained(error))

    async def _estate(self) -> Estate:
        teams = {
            team.id: (organization, team)
            for organization in await self._reader.organizations()
            for team in await self._reader.teams(organization)
        }
        groups = {group.name.casefold(): group.id for group in await self._reader.groups()}
        names = sorted({one.group for one in self._wanted})
        parts = await self._store.run(
            lambda tx: {name.casefold(): stored.parts_of(tx.connection, name) for name in names}
        )
        return Estate(teams, groups, parts)
