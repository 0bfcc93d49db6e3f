"""`Directory`: what identity providers read and write, and the clients that wait for TFE.

Each write is one transaction, durable when the call returns; each read sees every commit before it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from relay.errors import NotOwned, ParkedBefore, Refused, Unavailable
from relay.store.edits import answering
from relay.store.edits.incoming import Accepting, AcceptRules
from relay.store.guarding import owning
from relay.store.intake import accepting
from relay.store.state import reading

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from relay.rules.types import JsonObject, Kind, Write
    from relay.store.file.executor import Writer
    from relay.store.file.reader import Reader
    from relay.store.state.records import Accepted, ListQuery, Page, Resource, Settlement

SCAN_LIMIT = 10_000
"""Resources that a filter without an index may look at: bounded time on the reader."""

MAX_WAITING = 5_000
"""Accepts that may wait for the writer; more are answered 503 at once (A10)."""


class Directory:
    """All resources and memberships as identity providers see them.

    Args:
        writer: where transactions run.
        reader: where queries run.
        rules: what accepting depends on.
        work: set when delivery has something new.

    Attributes:
        full: the disk is nearly full: writes are answered 503 (A7).
        trouble: why the last commit failed, until the disk takes a write again; None: it did not.
    """

    def __init__(
        self, writer: Writer, reader: Reader, rules: AcceptRules, work: asyncio.Event
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._rules = rules
        self._work = work
        self._waiting: dict[int, set[asyncio.Future[Settlement]]] = {}
        self.full = False
        self.trouble: str | None = None

    @property
    def closed(self) -> str | None:
        """Why no write of an IdP can be taken now for the disk's sake, or None."""
        if self.full:
            return "the disk is nearly full"
        return None if self.trouble is None else f"the disk takes no writes ({self.trouble})"

    def works(self) -> None:
        """The disk took a write."""
        self.trouble = None

    def failed(self, trouble: str, *, full: bool) -> None:
        """Nothing of a commit is on disk."""
        self.trouble = trouble
        self.full = self.full or full

    def settled(self, change: int, settlement: Settlement) -> None:
        """TFE's answer settled a change: whoever waits for it is told."""
        for future in self._waiting.pop(change, set()):
            if not future.done():
                future.set_result(settlement)

    async def accept(
        self,
        connection: str,
        write: Write,
        resource_id: str | None,
        *,
        patient: bool = False,
        strict: bool = False,
        most_members: int = 0,
        arrived: float | None = None,
        own: bool = False,
    ) -> Accepted:
        """Take a write in: on disk when this returns.

        Raises:
            Refused: it can never succeed; nothing changed.
            NotOwned: it is not the connection's to change; that is in the audit log.
            Unavailable: the relay cannot take it now.
        """
        if self.full:
            raise Unavailable("the relay's disk is nearly full", retry_after_s=60)
        if self._writer.waiting > MAX_WAITING:
            raise Unavailable("too many writes are waiting for the disk", retry_after_s=10)
        request = Accepting(
            connection, write, resource_id, patient, strict, most_members, arrived, own
        )
        future = self._writer.submit(lambda tx: accepting.accept(tx, request, self._rules))
        try:
            accepted = await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(self._abandoned)
            raise
        except NotOwned as error:
            await self._writer.submit(owning.refused(request, error.resource))
            raise
        except ParkedBefore as error:
            self._tell(error.resource, error.key)
            raise
        self._work.set()
        return accepted

    def _tell(self, resource: int, key: int) -> None:
        """The IdP is about to hear of what TFE refused: once."""
        self._writer.submit_lazily(lambda tx: answering.mark_told(tx, resource, key))

    def _abandoned(self, future: asyncio.Future[Accepted]) -> None:
        """The client went while its write was being committed: it is kept, nobody waits (A2)."""
        if not future.cancelled() and future.exception() is None:
            change = future.result().change
            self._writer.submit_lazily(lambda tx: answering.by_nobody(tx, change))

    def give_up(self) -> None:
        """A hold was raised: TFE's answer will not come soon, so nobody waits for it."""
        for future in set().union(*self._waiting.values()):
            if not future.done():
                future.set_exception(TimeoutError("a hold was raised"))
        self._waiting.clear()

    async def settlement(self, change: int) -> Settlement:
        """Wait until TFE's answer settled a change that `accept` said may be waited for.

        Raises:
            TimeoutError: a hold was raised meanwhile.
        """
        # Each has a future of its own: a twin that goes ends nobody else's wait (A1).
        future = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(change, set()).add(future)
        try:
            settled = await self._writer.submit(lambda tx: answering.settlement_of(tx, change))
            return settled if settled is not None else await future
        finally:
            self._leave(change, future)

    def _leave(self, change: int, future: asyncio.Future[Settlement]) -> None:
        waiting = self._waiting.get(change, set())
        waiting.discard(future)
        if not waiting:
            self._waiting.pop(change, None)

    async def answer_from_directory(self, change: int) -> Settlement | None:
        """The time to wait is over: the directory answers, unless TFE just did (A2)."""
        return await self._writer.submit(lambda tx: answering.by_directory(tx, change))

    async def client_gone(self, change: int) -> None:
        """A client went; a refusal from now on is parked if nobody else waits for the answer."""
        if change in self._waiting:
            return
        self._writer.submit_lazily(lambda tx: answering.by_nobody(tx, change))

    def answered(self, change: int) -> None:
        """The answer was wholly written to a live socket: a repeated POST is a duplicate (A1)."""
        self._writer.submit_lazily(lambda tx: answering.written(tx, change))

    async def get(self, kind: Kind, identifier: str, *, members: bool) -> Resource | None:
        """The live resource that any of its ids names."""
        return await self._reader.submit(
            lambda connection: reading.get(connection, kind, identifier, members=members)
        )

    async def why_missing(self, kind: Kind, identifier: str) -> JsonObject | None:
        """TFE's refusal of a creation whose id is asked for, or None."""
        return await self._reader.submit(
            lambda connection: reading.why_missing(connection, kind, identifier)
        )

    async def list(self, kind: Kind, query: ListQuery) -> Page:
        """One page of the directory."""
        return await self._reader.submit(
            lambda connection: reading.list_page(connection, kind, query)
        )

    async def public_ids(self, ids: Collection[str]) -> Mapping[str, str]:
        """The public ids of what these ids name."""
        return await self._reader.submit(lambda connection: reading.public_ids(connection, ids))

    async def scan(self, kind: Kind, matches: Callable[[Resource], bool], query: ListQuery) -> Page:
        """A page of what a predicate picks.

        Raises:
            Refused: 400 `tooMany`, more than `SCAN_LIMIT` resources would have to be read.
        """
        page = await self._reader.submit(
            lambda connection: reading.scan(connection, kind, matches, query, SCAN_LIMIT)
        )
        if page is None:
            raise Refused(
                400,
                f"this filter has no index and would read over {SCAN_LIMIT} resources;"
                " look up by userName, displayName, externalId or id",
                "tooMany",
            )
        return page
