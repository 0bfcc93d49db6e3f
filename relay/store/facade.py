"""`Store`: the one door to the file, for the front, for delivery and for operators.

Every method is one transaction or one query. What others must learn of a commit leaves through
`settlement` (a client that waits for TFE's answer) and `work` (delivery has something to do).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from relay.errors import ParkedBefore, Refused, Unavailable
from relay.store import (
    accepting,
    answering,
    binding,
    claiming,
    engine,
    holds,
    importing,
    parking,
    reading,
    recovering,
    settling,
    status,
)
from relay.store.accepting import Accepting, AcceptRules
from relay.store.executor import Observer, Reader, Writer

if TYPE_CHECKING:
    from pathlib import Path

    from relay.clock import Clock, Ids
    from relay.rules.shadow import TargetResource
    from relay.rules.types import JsonObject, Kind, Write
    from relay.rules.verdict import Verdict
    from relay.store.claiming import Idle
    from relay.store.claims import Claim
    from relay.store.holds import Hold, HoldName
    from relay.store.importing import ImportState
    from relay.store.records import Accepted, ListQuery, Page, Resource, Settlement
    from relay.store.settling import Circumstances
    from relay.store.transaction import Outbox, Transaction

T = TypeVar("T")
Counted = Callable[[str, str], None]

SCAN_LIMIT = 10_000
"""Resources that a filter without an index may look at: bounded time on the reader."""

MAX_WAITING = 5_000
"""Accepts that may wait for the writer; more are answered 503 at once (A10)."""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How the store is opened.

    Attributes:
        path: the database file.
        rules: what accepting depends on.
        synchronous: `FULL`; less is a negative control of the proofs.
        min_free_bytes: below this much free space writes of IdPs are answered 503, so that
            delivery can still record its results (A7).
    """

    path: Path
    rules: AcceptRules
    synchronous: str = "FULL"
    min_free_bytes: int = 64 * 1024 * 1024


class Store:
    """The directory, the queue and the audit log.

    Args:
        settings: how to open it.
        clock: time of all rows.
        ids: mints ids.
        observer: told of each commit.
        counted: told of each event that is a metric: `(metric, label)`.

    Raises:
        StoreRefused: another relay holds the file, or it is not a relay's database.
    """

    def __init__(
        self, settings: StoreSettings, clock: Clock, ids: Ids, observer: Observer, counted: Counted
    ) -> None:
        self._settings = settings
        self._counted = counted
        self._lock = engine.FileLock(settings.path)
        engine.refuse_network_filesystem(settings.path)
        self._lock.acquire()
        try:
            connection = engine.open_writer(settings.path, synchronous=settings.synchronous)
            self._writer = Writer(connection, clock, ids, self._committed, observer)
            self._reader = Reader(engine.open_reader(settings.path))
        except BaseException:
            self._lock.release()
            raise
        self._waiting: dict[int, asyncio.Future[Settlement]] = {}
        self.work = asyncio.Event()
        self.full = False

    async def start(self) -> int:
        """Start both threads and settle what a dead process left; attempts that were in flight."""
        self._writer.start()
        self._reader.start()
        return await self._writer.submit(recovering.recover)

    def stop(self) -> None:
        """Finish what is queued, close the file and give the lock back."""
        self._writer.stop()
        self._reader.stop()
        self._lock.release()

    @property
    def path(self) -> Path:
        """The database file."""
        return self._settings.path

    @property
    def min_free_bytes(self) -> int:
        """Free space below which writes of IdPs are answered 503 (A7)."""
        return self._settings.min_free_bytes

    @property
    def alive(self) -> bool:
        """Whether the writer runs (liveness)."""
        return self._writer.alive

    def _committed(self, outbox: Outbox) -> None:
        for change, settlement in outbox.settled:
            future = self._waiting.pop(change, None)
            if future is not None and not future.done():
                future.set_result(settlement)
        for metric, label in outbox.counted:
            self._counted(metric, label)
        if outbox.work:
            self.work.set()

    # --- the front -------------------------------------------------------------------------

    async def accept(
        self,
        connection: str,
        write: Write,
        resource_id: str | None,
        *,
        patient: bool = False,
        strict: bool = False,
        members: bool = False,
    ) -> Accepted:
        """Take a write in: on disk when this returns.

        Raises:
            Refused: it can never succeed; nothing changed.
            Unavailable: the relay cannot take it now.
        """
        if self.full:
            raise Unavailable("the relay's disk is nearly full", retry_after_s=60)
        if self._writer.waiting > MAX_WAITING:
            raise Unavailable("too many writes are waiting for the disk", retry_after_s=10)
        request = Accepting(connection, write, resource_id, patient, strict, members)
        future = self._writer.submit(lambda tx: accepting.accept(tx, request, self._settings.rules))
        try:
            accepted = await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(self._abandoned)
            raise
        except ParkedBefore as error:
            resource, key = error.resource, error.key
            self._writer.submit_lazily(lambda tx: parking.mark_told(tx, resource, key))
            raise
        self.work.set()
        return accepted

    def _abandoned(self, future: asyncio.Future[Accepted]) -> None:
        """The client went while its write was being committed: it is kept, nobody waits (A2)."""
        if not future.cancelled() and future.exception() is None:
            change = future.result().change
            self._writer.submit_lazily(lambda tx: answering.by_nobody(tx, change))

    def give_up(self) -> None:
        """A hold was raised: TFE's answer will not come soon, so nobody waits for it."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(TimeoutError("a hold was raised"))
        self._waiting.clear()

    async def settlement(self, change: int) -> Settlement:
        """Wait until TFE's answer settled a change that `accept` said may be waited for.

        Raises:
            TimeoutError: a hold was raised meanwhile.
        """
        future = self._waiting.get(change)
        if future is None:
            future = asyncio.get_running_loop().create_future()
            self._waiting[change] = future
            settled = await self._writer.submit(lambda tx: answering.settlement_of(tx, change))
            if settled is not None:
                self._waiting.pop(change, None)
                return settled
        return await asyncio.shield(future)

    async def answer_from_directory(self, change: int) -> Settlement | None:
        """The time to wait is over: the directory answers, unless TFE just did (A2)."""
        settled = await self._writer.submit(lambda tx: answering.by_directory(tx, change))
        self._waiting.pop(change, None)
        return settled

    async def client_gone(self, change: int) -> None:
        """Nobody waits for this change's answer any more."""
        self._waiting.pop(change, None)
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

    # --- delivery --------------------------------------------------------------------------

    async def claim(self, turn: int) -> Claim | Idle:
        """The next request to send, its attempt on disk; or when to look again."""
        profile = self._settings.rules.profile
        return await self._writer.submit(lambda tx: claiming.claim(tx, turn, profile))

    async def release(self, claim: Claim) -> None:
        """Give back a claim that was never sent."""
        await self._writer.submit(lambda tx: claiming.release(tx, claim))

    async def settle(self, claim: Claim, verdict: Verdict, now: Circumstances) -> None:
        """Record a result and all that follows from it."""
        await self._writer.submit(lambda tx: settling.settle(tx, claim, verdict, now))

    async def raise_hold(self, name: HoldName, reason: str, until: float | None = None) -> bool:
        """Raise a hold; True when it did not stand before."""
        return await self._writer.submit(lambda tx: holds.raise_hold(tx, name, reason, until))

    async def lift(self, name: HoldName, actor: str = "relay") -> bool:
        """Lift a hold; True when it stood."""
        return await self._writer.submit(lambda tx: holds.lift(tx, name, actor))

    async def holds(self) -> Sequence[Hold]:
        """All holds that stand."""
        return await self._writer.submit(holds.standing)

    async def import_state(self) -> ImportState:
        """Where the import stands."""
        return await self._writer.submit(importing.state)

    async def take_page(
        self, at: ImportState, resources: Sequence[TargetResource], total: int, began: float
    ) -> ImportState:
        """Take a page of the import in."""
        return await self._writer.submit(
            lambda tx: importing.take_page(tx, at, resources, total, began)
        )

    async def take(self, kind: Kind, found: TargetResource, began: float) -> None:
        """Take one resource in that an IdP asked for before the import was complete."""
        await self._writer.submit(lambda tx: importing.take(tx, kind, found, began))

    async def binding(self, but: int = 0) -> binding.Bound:
        """What TFE should know if it is still the one this database was filled from (K5)."""
        return await self._reader.submit(lambda connection: binding.bound(connection, but))

    async def note(self, key: str, value: str) -> None:
        """Keep a fact about this database's life."""
        await self._writer.submit(lambda tx: binding.note(tx, key, value))

    async def noted(self, key: str) -> str | None:
        """A fact kept by `note`."""
        return await self._writer.submit(lambda tx: binding.noted(tx, key))

    # --- operators -------------------------------------------------------------------------

    async def snapshot(self) -> status.Snapshot:
        """How things stand."""
        return await self._reader.submit(status.snapshot)

    async def changes(
        self, *, state: str | None = None, kind: str | None = None, limit: int = 100
    ) -> Sequence[JsonObject]:
        """The newest changes."""
        return await self._reader.submit(
            lambda connection: status.changes(connection, state=state, kind=kind, limit=limit)
        )

    async def change(self, number: int) -> JsonObject | None:
        """One change with its attempts."""
        return await self._reader.submit(lambda connection: status.change(connection, number))

    async def run(self, operation: Callable[[Transaction], T]) -> T:
        """Run one more operation in a transaction; for tools and tests."""
        return await self._writer.submit(operation)
