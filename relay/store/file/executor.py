"""Where store operations run: the one thread that writes, or inline in simulation.

Group commit: the writer drains its whole queue, runs every operation in its own savepoint of one
transaction, commits once, and wakes all callers with one call into the event loop. One bad
operation fails alone; a full disk fails the batch, and nothing of it is on disk (A7). A caller
that was cancelled does not undo its operation: the row is committed, and accepting is idempotent
(A4).
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import structlog

from relay.store.file import ballast, clock_steps
from relay.store.file.engine import Connection, DatabaseError, says_full
from relay.store.file.reader import as_heard
from relay.store.file.transaction import Outbox, Transaction
from relay.telemetry import events

if TYPE_CHECKING:
    from relay.clock import Clock, Ids
    from relay.rules.chain import Head

log = structlog.get_logger(__name__)

T = TypeVar("T")
Operation = Callable[[Transaction], Any]
Delivered = Callable[[Outbox], None]

MAX_BATCH: Final = 500
LAZY_S: Final = 0.05
ALONE_S: Final = 600.0
"""What runs alone may take so long before the writer counts as hanging."""


class Observer(Protocol):
    """What is measured of each commit."""

    def committed(self, operations: int, seconds: float, /) -> None:
        """A batch is on disk."""
        ...


@dataclass(slots=True)
class _Job:
    operation: Callable[[Any], Any]
    future: asyncio.Future[Any] | None
    alone: bool = False
    """Runs outside of any transaction, with the connection itself."""


def _in_turn(operations: list[Operation]) -> Operation:
    def all_of_them(tx: Transaction) -> None:
        for operation in operations:
            operation(tx)

    return all_of_them


class Writer:
    """The one thread that writes.

    Args:
        connection: the writer connection; used by this thread alone from `start` on.
        clock: gives each operation its time.
        ids: mints the ids of new resources.
        delivered: called in the event loop after each commit with all that happened in it.
        observer: told of each commit.
        names: the audit log may name persons.
    """

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        ids: Ids,
        delivered: Delivered,
        observer: Observer,
        *,
        names: bool = True,
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._ids = ids
        self._delivered = delivered
        self._observer = observer
        self._names = names
        self._head: Head | None = None
        self._alone_since: float | None = None
        self._ahead_s = clock.wall() - clock.monotonic()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lazy: list[Operation] = []
        self._lazy_timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)

    def start(self) -> None:
        """Start the thread, from inside the event loop that its callers run in."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread still runs (liveness)."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Operations not yet begun."""
        return self._jobs.qsize()

    def submit(self, operation: Callable[[Transaction], T]) -> asyncio.Future[T]:
        """Run `operation` in the next transaction; the future resolves after its commit."""
        assert self._loop is not None
        future: asyncio.Future[T] = self._loop.create_future()
        self._flush()
        self._jobs.put(_Job(operation, future))
        return future

    def submit_alone(self, operation: Callable[[Connection], T]) -> asyncio.Future[T]:
        """Run what cannot run inside a transaction; everybody else waits meanwhile."""
        assert self._loop is not None
        future: asyncio.Future[T] = self._loop.create_future()
        self._flush()
        self._jobs.put(_Job(operation, future, alone=True))
        return future

    @property
    def closed(self) -> bool:
        """Whether something runs alone, and not for so long that it hangs."""
        since = self._alone_since
        return since is not None and self._clock.monotonic() - since <= ALONE_S

    def pulse(self) -> asyncio.Future[None]:
        """Done once everything before it is, or at once while something runs alone (L10)."""
        if not self.closed or self._loop is None:
            return self.submit(lambda _tx: None)
        future: asyncio.Future[None] = self._loop.create_future()
        future.set_result(None)
        return future

    def submit_lazily(self, operation: Operation) -> None:
        """Run `operation` before the next one that is submitted, or within 50 ms.

        For notes that need no commit of their own, and whose loss does no harm: those that come
        together share a savepoint. Order is kept: whatever is submitted later sees it.
        """
        assert self._loop is not None
        self._lazy.append(operation)
        if self._lazy_timer is None:
            self._lazy_timer = self._loop.call_later(LAZY_S, self._flush)

    def _flush(self) -> None:
        if self._lazy_timer is not None:
            self._lazy_timer.cancel()
            self._lazy_timer = None
        if self._lazy:
            self._jobs.put(_Job(_in_turn(self._lazy), None))
            self._lazy = []

    def stop(self) -> None:
        """Finish what is queued, then end the thread and close the connection."""
        self._flush()
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        more = True
        while more:
            jobs: list[_Job] = []
            job = self._jobs.get()
            while job is not None:
                jobs.append(job)
                if len(jobs) >= MAX_BATCH or self._jobs.empty():
                    break
                job = self._jobs.get()
            more = job is not None
            if jobs:
                try:
                    self._batch(jobs)
                except Exception as error:  # noqa: BLE001 - told to all who wait; the thread goes on
                    self._fail(jobs, error)
        self._connection.close()

    def _fail(self, jobs: list[_Job], error: Exception) -> None:
        """A fault around the operations (memory, a metric): a dead thread would answer nobody."""
        log.error(events.UNEXPECTED_ERROR, where="writer", exc_info=error)
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._head = None
        counted = Outbox(counted=[("unexpected", "writer")])
        self._tell([(job, None, error) for job in jobs], counted)

    def _batch(self, jobs: list[_Job]) -> None:
        """Run jobs in their order: each that must be alone, the others in one transaction."""
        for alone, some in groupby(jobs, key=lambda job: job.alone):
            if alone:
                for job in some:
                    self._alone(job)
            else:
                self._together(list(some))

    def _alone(self, job: _Job) -> None:
        self._alone_since = self._clock.monotonic()
        result: Any = None
        wrong: BaseException | None = None
        try:
            result = job.operation(self._connection)
        except DatabaseError as error:
            wrong = as_heard(error)
        except Exception as error:  # noqa: BLE001 - handed to the caller, who knows what it means
            wrong = error
        self._alone_since = None
        self._tell([(job, result, wrong)], Outbox())

    def _together(self, jobs: list[_Job]) -> None:
        began = self._clock.monotonic()
        ahead_s = self._clock.wall() - began
        jobs = [*self._clock_step(ahead_s), *jobs]
        outbox = Outbox()
        results: list[tuple[_Job, Any, BaseException | None]] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            results = [self._one(job, outbox) for job in jobs]
            self._connection.execute("COMMIT")
            self._ahead_s = ahead_s
        except DatabaseError as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._head = None
            results = [(job, None, as_heard(error)) for job in jobs]
            outbox = Outbox(full=says_full(error), trouble=str(error))
            if outbox.full:
                self._make_room()
        self._observer.committed(len(jobs), self._clock.monotonic() - began)
        self._tell(results, outbox)

    def _clock_step(self, ahead_s: float) -> list[_Job]:
        """What to do first if wall time was set anew since the last batch on disk (L6)."""
        seconds = ahead_s - self._ahead_s
        if abs(seconds) < clock_steps.STEP_S:
            return []
        log.warning(events.CLOCK_STEPPED, by_s=round(seconds, 1))
        return [_Job(lambda tx: clock_steps.step(tx, seconds), None)]

    def _make_room(self) -> None:
        """Give the ballast up, so that delivery goes on while writes of IdPs are answered 503."""
        try:
            ballast.give_up(self._connection)
        except DatabaseError:
            log.warning(events.STORE_TROUBLE, reason="no room is left to make room")

    def _one(self, job: _Job, outbox: Outbox) -> tuple[_Job, Any, BaseException | None]:
        """Run one operation in its savepoint: its failure undoes itself alone."""
        execute = self._connection.execute
        transaction = Transaction(
            self._connection, self._clock.wall(), self._ids, names=self._names, head=self._head
        )
        execute("SAVEPOINT operation")
        try:
            result = job.operation(transaction)
        except DatabaseError as error:
            if not self._connection.in_transaction or says_full(error):
                raise  # SQLite gave the whole transaction up (full, I/O): so do we
            execute("ROLLBACK TO operation")
            execute("RELEASE operation")
            return job, None, as_heard(error)
        except Exception as error:  # noqa: BLE001 - handed to the caller, who knows what it means
            execute("ROLLBACK TO operation")
            execute("RELEASE operation")
            return job, None, error
        execute("RELEASE operation")
        outbox.merge(transaction.outbox)
        self._head = transaction.head
        return job, result, None

    def _tell(self, results: list[tuple[_Job, Any, BaseException | None]], outbox: Outbox) -> None:
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._resolve, results, outbox)

    def _resolve(
        self, results: list[tuple[_Job, Any, BaseException | None]], outbox: Outbox
    ) -> None:
        self._delivered(outbox)
        for job, result, error in results:
            if job.future is None or job.future.done():
                continue
            if error is None:
                job.future.set_result(result)
            else:
                job.future.set_exception(error)
