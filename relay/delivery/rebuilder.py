"""Reads the TFE that answers now and has the directory made from it, or from us (hold `foreign`).

One part with one task: it goes on with a rebuild that an earlier process began, and does nothing
while none is ordered. What TFE holds is read inside the rate; nothing else is sent meanwhile.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import structlog

from relay.delivery.importer import PAGE, listed
from relay.errors import RelayError
from relay.rules import reads
from relay.store.compare import rebuilding
from relay.store.compare.binding import TARGET_NOTE
from relay.store.compare.site import LINKS_NOTE
from relay.store.state.holds import HoldName
from relay.telemetry import events

if TYPE_CHECKING:
    from relay.delivery.holds import Holds
    from relay.delivery.importer import Importer
    from relay.store import Store
    from relay.store.compare.rebuilding import Rebuild

log = structlog.get_logger(__name__)


async def bound_to(url: str, store: Store, holds: Holds) -> None:
    """A database belongs to the TFE it was filled from; another one is `foreign`."""
    known = await store.noted(TARGET_NOTE)
    if known is None:
        await store.note(TARGET_NOTE, url)
    elif known != url:
        reason = f"this database was filled from {known}, the configuration names {url}"
        await holds.raise_hold(HoldName.FOREIGN, reason)


class Rebuilder:
    """Carries a rebuild out.

    Args:
        store: the directory.
        importer: asks TFE.
        holds: that stand.
        url: of the TFE that answers now; the database belongs to it afterwards.
        rate: creations a second, for how long groups wait for their members.
        links: whether team links are declared, which then are to be made again.
    """

    def __init__(
        self,
        store: Store,
        importer: Importer,
        holds: Holds,
        *,
        url: str,
        rate: float,
        links: bool = False,
    ) -> None:
        self._store = store
        self._importer = importer
        self._holds = holds
        self._url = url
        self._rate = rate
        self._links = links
        self._at: Rebuild | None = None
        self._ordered = asyncio.Event()

    async def state(self) -> Rebuild | None:
        """The last rebuild, or the one under way."""
        return await self._store.run(lambda tx: rebuilding.read(tx.connection))

    async def order(self, ordered: str, *, rebind: bool = False) -> Rebuild:
        """Begin a rebuild, or go on with the one under way.

        Args:
            ordered: by whom, and why.
            rebind: the reverse, in the hold `operator` too: the directory becomes what TFE has.

        Raises:
            RelayError: no such hold stands, or a request is under way.
        """
        if self._at is not None and not self._at.done:
            return self._at
        if not rebind and HoldName.FOREIGN not in self._holds:
            raise RelayError("cannot rebuild: the hold foreign does not stand; nothing is lost")
        if not any(name in self._holds for name in (HoldName.FOREIGN, HoldName.OPERATOR)):
            raise RelayError("cannot rebind: the relay is sending; `scim-relay pause` first")
        if await self._store.run(lambda tx: rebuilding.under_way(tx.connection)):
            raise RelayError("cannot rebuild yet: a request is under way; try again in a minute")
        self._at = await self._store.run(lambda tx: rebuilding.begin(tx, ordered, rebind=rebind))
        self._ordered.set()
        return self._at

    async def run(self) -> None:
        """Go on with what was ordered, until cancelled."""
        self._at = await self.state()
        while True:
            if self._at is not None and await self._is_due():
                await self._rebuild(self._at)
            await self._ordered.wait()
            self._ordered.clear()

    async def _is_due(self) -> bool:
        """Whether one is under way; done but for its hold, when the process died between them."""
        assert self._at is not None
        foreign = self._holds.get(HoldName.FOREIGN)
        return not self._at.done or (foreign is not None and foreign.since <= self._at.began)

    async def _rebuild(self, at: Rebuild) -> None:
        self._holds.rebuilding = True
        try:
            while not at.done:
                at = await self._step(at)
                if not at.done:
                    self._at = at
        finally:
            self._holds.rebuilding = False
        if at.rebind:
            await self._store.desk.follow_target(at.ordered)
        await self._store.run(lambda tx: rebuilding.have_groups_wait(tx, self._rate))
        log.info(events.REBUILT, adopted=at.adopted, missing=at.missing, strangers=at.strangers)
        await self._store.note(TARGET_NOTE, self._url)
        if self._links and not at.rebind:
            await self._store.note(LINKS_NOTE, json.dumps([at.ordered, False]))
        await self._store.run(lambda tx: rebuilding.end(tx, at))
        self._at = at
        if HoldName.FOREIGN in self._holds:
            await self._holds.lift(HoldName.FOREIGN, at.ordered)

    async def _step(self, at: Rebuild) -> Rebuild:
        """One page, or one batch of what no page named."""
        if at.start is None:
            return await self._store.run(lambda tx: rebuilding.unlearn(tx, at))
        verdict = await self._importer.ask(reads.page(at.kind, at.start, PAGE), "rebuild")
        page = listed(at.kind, verdict)
        if page is None:
            return at
        return await self._store.run(
            lambda tx: rebuilding.take_page(tx, at, page.resources, page.total)
        )
