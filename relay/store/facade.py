"""`Store`: the one door to the file; `directory` is the IdPs', `desk` the operators' part of it.

Every method is one transaction or one query. What others must learn of a commit leaves through
`settlement` (a client that waits for TFE's answer) and `work` (delivery has something to do).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import structlog

from relay.errors import Unavailable
from relay.store.compare import binding, importing, restoring
from relay.store.compare.comparison import Comparison
from relay.store.deliver import attempting, claiming, quarantine, recovering, settling
from relay.store.directory import Directory
from relay.store.file import ballast, engine, filesystems, half_copies, identity, migrating
from relay.store.file.executor import Observer, Writer
from relay.store.file.reader import Reader
from relay.store.groups import seating
from relay.store.guarding import guard
from relay.store.operate import listing, pruning, status
from relay.store.operate.auditing import AuditLog
from relay.store.operate.desk import Desk
from relay.store.state import holds
from relay.telemetry import events

if TYPE_CHECKING:
    from pathlib import Path

    from relay.clock import Clock, Ids
    from relay.rules.shadow import TargetResource
    from relay.rules.types import JsonObject, Kind
    from relay.rules.verdict import Verdict
    from relay.store.compare.importing import ImportState
    from relay.store.deliver.claiming import Idle
    from relay.store.deliver.quarantine import Fault
    from relay.store.deliver.settling import Circumstances
    from relay.store.file.transaction import Outbox, Transaction
    from relay.store.opening import StoreSettings
    from relay.store.operate.listing import ChangeFilter
    from relay.store.state.claims import Claim
    from relay.store.state.finishing import Finished, Owed
    from relay.store.state.holds import Hold, HoldName

log = structlog.get_logger(__name__)

T = TypeVar("T")
INSIST_S: Final = 1.0
"""Between two tries to write what must be written."""
Counted = Callable[[str, str], None]
HoldTold = Callable[["HoldName", "Hold | None"], None]
EndedTold = Callable[["Sequence[Finished]", "Sequence[Owed]"], None]


class Store:
    """The queue and the audit log; `directory` is what identity providers see of it.

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
        self._settings, self._counted = settings, counted
        path, bounds = settings.path, settings.bounds
        self._lock = engine.FileLock(path)
        filesystems.refuse_network_filesystem(path)
        self._lock.acquire()
        try:
            known = self._lock.remembered
            identity.refuse_unlikely(path, known)
            migrating.secure(path)
            connection = engine.open_writer(path, synchronous=settings.synchronous, bounds=bounds)
            now, self._restored = engine.counted(connection, path, known)
            self._lock.remember(now)
            names = settings.names
            self._writer = Writer(connection, clock, ids, self._committed, observer, names=names)
            self._reader = Reader(engine.open_reader(path, bounds.cache_bytes))
            # Operators may ask what takes a while: no identity provider waits behind them.
            self._operators = Reader(engine.open_reader(path))
        except BaseException:
            self._lock.release()
            raise
        self.work = asyncio.Event()
        self.hold_told: HoldTold = lambda _name, _hold: None
        """Told of each hold that a commit raised or prolonged (the hold) or lifted (None)."""
        self.ended_told: EndedTold = lambda _finished, _owed: None
        """Told of the changes that a commit ended, and of revocations it found refused."""
        self.directory = Directory(self._writer, self._reader, settings.rules, self.work)
        self.desk = Desk(self._writer, self._operators, settings, clock)
        self.comparison = Comparison(self._insist, self._asked)
        self.audit = AuditLog(self.run, self._operators.submit, self._writer.submit_alone)

    async def start(self) -> int:
        """Start the threads and settle what a dead process left; attempts that were in flight."""
        self._writer.start()
        self._reader.start()
        self._operators.start()
        await self.audit.seal()
        await self._writer.submit(lambda tx: guard.configure(tx, self._settings.guard))
        await self._writer.submit(lambda tx: seating.configure(tx, self._settings.seats))
        await self._writer.submit(half_copies.take_away)
        await self._writer.submit(ballast.take)
        if (reason := self._restored) is not None:
            await self._writer.submit(lambda tx: restoring.begin(tx, reason))
        return await self._writer.submit(recovering.recover)

    def stop(self) -> None:
        """Finish what is queued, close the file and give the lock back."""
        self._operators.stop()
        self._reader.stop()
        self._writer.stop()  # the last to close: it checkpoints the log into the file
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

    @property
    def closed(self) -> bool:
        """Whether everybody waits for something that runs alone, and has not hung (L10)."""
        return self._writer.closed

    def pulse(self) -> asyncio.Future[None]:
        """Done once the writer did all that was queued before it; nothing is written (L10)."""
        return self._writer.pulse()

    def _committed(self, outbox: Outbox) -> None:
        for change, settlement in outbox.settled:
            self.directory.settled(change, settlement)
        for metric, label in outbox.counted:
            self._counted(metric, label)
        for name, hold in outbox.holds:
            self.hold_told(name, hold)
        if outbox.finished or outbox.owed:
            self.ended_told(outbox.finished, outbox.owed)
        if outbox.trouble is not None:
            self.directory.failed(outbox.trouble, full=outbox.full)
        if outbox.work:
            self.work.set()

    async def _asked(self, query: Callable[[engine.Connection], T]) -> T:
        return await self._reader.submit(query)

    # --- delivery --------------------------------------------------------------------------

    async def _insist(self, operation: Callable[[Transaction], T]) -> T:
        """Record what delivery knows, however long the disk takes nothing (A7).

        What TFE said is not asked for twice, and no part of delivery ends for a failed commit.
        """
        while True:
            try:
                return await self._writer.submit(operation)
            except Unavailable as error:
                log.warning(events.STORE_TROUBLE, reason=error.detail)
                await asyncio.sleep(INSIST_S)

    async def claim(self, turn: int, *, urgent: bool = False) -> Claim | Idle:
        """The next (`urgent`) request to send, its attempt on disk; or when to look again.

        Raises:
            LaneFault: the lane whose turn it is cannot be claimed; `quarantine` it.
            Unavailable: the disk cannot be written now.
        """
        profile = self._settings.rules.profile
        return await self._writer.submit(
            lambda tx: claiming.claim(tx, turn, profile, urgent=urgent)
        )

    async def release(self, claim: Claim) -> None:
        """Give back a claim that was never sent."""
        await self._insist(lambda tx: attempting.release(tx, claim))

    async def settle(self, claim: Claim, verdict: Verdict, now: Circumstances) -> None:
        """Record a result and all that follows from it."""
        await self._insist(lambda tx: settling.settle(tx, claim, verdict, now))

    async def quarantine(self, fault: Fault) -> None:
        """Charge a fault of ours to the lane it happened in, so that no other waits (D5)."""
        try:
            await self._insist(lambda tx: quarantine.charge(tx, fault))
        except Exception:
            log.exception(events.UNEXPECTED_ERROR, where="quarantine")
            await self._insist(lambda tx: quarantine.set_aside(tx, fault))

    async def leave(self) -> None:
        """At a stop: end what is still under way, in doubt and without blame (L1).

        Raises:
            Unavailable: the disk cannot be written now; the next start takes it for a death.
        """
        await self._writer.submit(recovering.leave)

    async def room(self) -> bool:
        """Whether there is room for more than delivery's own results (A7)."""
        return await self._writer.submit(ballast.try_out)

    async def raise_hold(self, name: HoldName, reason: str, until: float | None = None) -> bool:
        """Raise a hold; True when it did not stand before."""
        return await self._insist(lambda tx: holds.raise_hold(tx, name, reason, until))

    async def lift(self, name: HoldName, actor: str = "relay") -> bool:
        """Lift a hold; True when it stood."""
        return await self._insist(lambda tx: holds.lift(tx, name, actor))

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
        return await self._insist(lambda tx: importing.take_page(tx, at, resources, total, began))

    async def take(self, kind: Kind, found: TargetResource, began: float) -> None:
        """Take one resource in that an IdP asked for before the import was complete."""
        await self._insist(lambda tx: importing.take(tx, kind, found, began))

    async def binding(self, but: int = 0, before: float = math.inf) -> binding.Bound:
        """What TFE should know if it is still the one this database was filled from (K5)."""
        return await self._reader.submit(lambda connection: binding.bound(connection, but, before))

    async def note(self, key: str, value: str) -> None:
        """Keep a fact about this database's life."""
        await self._insist(lambda tx: binding.note(tx, key, value))

    async def noted(self, key: str) -> str | None:
        """A fact kept by `note`."""
        return await self._writer.submit(lambda tx: binding.noted(tx, key))

    async def horizon(self, keep_s: float) -> float:
        """Wall time before which history may go, if it is kept for so long."""
        return await self._writer.submit(lambda tx: pruning.horizon(tx, keep_s))

    async def prune(self, before: float, after: pruning.Cursor) -> pruning.Pruned:
        """Let the next batch of what was settled before then go."""
        return await self._writer.submit(lambda tx: pruning.prune(tx, before, after))

    # --- operators -------------------------------------------------------------------------

    async def snapshot(self) -> status.Snapshot:
        """How things stand."""
        most = self._settings.rules.profile.max_members
        return await self._operators.submit(lambda connection: status.snapshot(connection, most))

    async def census(self) -> status.Census:
        """How many there are of what; the cost grows with the answer."""
        return await self._operators.submit(status.census)

    async def changes(
        self, wanted: ChangeFilter = listing.EVERY, limit: int = 100
    ) -> Sequence[JsonObject]:
        """The newest changes that a filter means."""
        return await self._operators.submit(
            lambda connection: listing.changes(connection, wanted, limit)
        )

    async def change(self, number: int) -> JsonObject | None:
        """One change with its attempts."""
        return await self._operators.submit(lambda connection: listing.change(connection, number))

    async def ids(self, after: int, *, minted: bool) -> list[JsonObject]:
        """A page of who has which ids; `minted`: only those whose id is not TFE's own."""
        return await self._operators.submit(
            lambda connection: listing.ids(connection, after, minted=minted)
        )

    async def run(self, operation: Callable[[Transaction], T]) -> T:
        """Run one more operation in a transaction; for tools and tests."""
        return await self._writer.submit(operation)
