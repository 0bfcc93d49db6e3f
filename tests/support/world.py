"""Store and delivery against the stand-in, in one thread and in virtual time.

Hours of back-off cost nothing and a run is the same each time. No socket, no thread: the store's
operations run in the loop, the target is the stand-in's service in memory. A crash drops everything
that is not on disk, in the middle of whatever was going on.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import parse_qsl, unquote, urlsplit

import asyncio_throttle.throttler
import orjson

from relay.delivery.dispatcher import DeliverySettings, Dispatcher
from relay.delivery.health import Health
from relay.delivery.holds import Holds
from relay.delivery.identity import Identity
from relay.delivery.importer import Importer
from relay.delivery.keeper import Keeper
from relay.delivery.rebuilder import Rebuilder
from relay.delivery.sender import Sender
from relay.errors import MaybeSent
from relay.pace import Pacer
from relay.rules.contract import PROFILES
from relay.rules.guard import OPEN_DOOR, GuardPolicy
from relay.rules.verdict import Answered
from relay.simulator import RateLimit, SimulatorSettings, Tfe
from relay.simulator.log import Arrival
from relay.simulator.service import Ending, Reply, Service
from relay.store import Store, StoreSettings
from relay.store.edits.incoming import AcceptRules
from relay.store.file.executor import MAX_BATCH, Writer
from relay.store.file.reader import Reader
from relay.store.operate.auditing import AuditLog
from support.fresh import lay
from support.unasked import Unasked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

TIMEOUT_S = 5.0
RATE = 100
PATIENCE_S = 6 * 3600.0
"""A world that is left alone for so long and is still not settled will never be."""


class _Jump(selectors.SelectSelector):
    """Waiting takes no time: the clock jumps."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "everybody waits and nobody is to come"
        self.now += max(timeout, 0.0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now


def run_virtually(main: Callable[[], Awaitable[None]]) -> None:
    """Run a coroutine to its end in virtual time."""
    with (
        asyncio.Runner(loop_factory=VirtualLoop) as runner,
        patch.object(asyncio_throttle.throttler, "time", VirtualClock()),
    ):
        runner.run(main())  # type: ignore[arg-type]  # a coroutine


class VirtualClock:
    """The loop's time, and wall time, which may be set anew."""

    def __init__(self) -> None:
        self.set_s = 0.0

    def wall(self) -> float:
        return 1_700_000_000.0 + self.monotonic() + self.set_s

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def set_anew(self, seconds: float) -> None:
        """Somebody sets wall time forward, or back; the monotonic clock does not care."""
        self.set_s += seconds


class CountedIds:
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._count = 0

    def new_id(self) -> str:
        self._count += 1
        return f"{self._prefix}-{self._count}"


class InlineWriter(Writer):
    """The writer without its thread: what came in this round of the loop is one commit."""

    _queued: list[Any]

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queued = []

    def submit(self, operation: Any) -> Any:
        future = super().submit(operation)
        assert self._loop is not None
        self._loop.call_soon(self._drain)
        return future

    def _flush(self) -> None:
        super()._flush()
        assert self._loop is not None
        self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        jobs: list[Any] = []
        while not self._jobs.empty() and len(jobs) < MAX_BATCH:
            jobs.append(self._jobs.get())
        if jobs:
            self._batch(jobs)

    def stop(self) -> None:
        self._connection.close()


class InlineReader(Reader):
    """The reader without its thread."""

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    def submit(self, query: Any) -> Any:
        assert self._loop is not None
        future = self._loop.create_future()
        result, error = self._one(query)
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
        return future

    def stop(self) -> None:
        self._connection.close()


class Unmeasured:
    """Takes every measurement and keeps none."""

    def committed(self, operations: int, seconds: float, /) -> None: ...

    def observe(self, method: str, status: int | None, seconds: float) -> None: ...

    def throttled(self) -> None: ...

    def paced(self, rate: float) -> None: ...


def put_in_line(store: Store, clock: Any, ids: Any) -> None:
    """Have a store that was not started run its operations in the loop, without threads.

    While one waited for a thread the virtual clock would run, for as long as the thread takes.
    """
    writer = InlineWriter(store._writer._connection, clock, ids, store._committed, Unmeasured())
    reader = InlineReader(store._reader._connection)
    operators = InlineReader(store._operators._connection)
    store._writer, store._reader, store._operators = writer, reader, operators
    store.directory._writer, store.directory._reader = writer, reader
    store.desk._writer, store.desk._reader = writer, operators
    store.audit = AuditLog(store.run, operators.submit, writer.submit_alone)


class MemoryTarget:
    """The target client's part, played in memory: phases and endings as over a socket."""

    def __init__(self, tfe: Tfe, clock: VirtualClock | None = None) -> None:
        self._service = Service(tfe)
        self._token = tfe.token
        self._clock = clock or VirtualClock()
        self._open: set[asyncio.Task[Reply]] = set()
        self.sent = 0
        self.read = 0

    async def send(
        self, request: Any, attempt_id: str, departing: Callable[[], None], /
    ) -> Answered:
        self.sent += 1
        self.read += request.method == "GET"
        departing()
        exchange = asyncio.create_task(self._service.exchange(self._arrival(request, attempt_id)))
        self._open.add(exchange)
        exchange.add_done_callback(self._open.discard)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                reply = await asyncio.shield(exchange)
        except TimeoutError:
            raise MaybeSent("no answer in time") from None
        return _answer(reply, self._clock.wall())

    def _arrival(self, request: Any, attempt_id: str) -> Arrival:
        url = urlsplit(request.path)
        return Arrival(
            method=request.method,
            path=unquote(url.path),
            query=dict(parse_qsl(url.query)),
            body=b"" if request.body is None else orjson.dumps(request.body),
            authorization=f"Bearer {self._token}",
            content_type="application/scim+json",
            request_id=attempt_id,
        )

    async def drain(self) -> None:
        """Wait until TFE has finished everything it was asked."""
        await asyncio.gather(*self._open)


def _answer(reply: Reply, wall: float) -> Answered:
    if reply.ending is Ending.RESET or (reply.ending is Ending.CUT and reply.status < 300):
        raise MaybeSent("the connection was reset")
    try:
        body = None if reply.ending is Ending.CUT or not reply.body else orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        if reply.status < 300:
            raise MaybeSent("the answer is no JSON") from None
        body = reply.body.decode()
    headers = {
        name.lower(): value
        for name, value in reply.headers.items()
        if name.lower() in {"retry-after", "date"}
    }
    return Answered(reply.status, headers, body, wall)


class World:
    """One relay and one TFE. Make it inside the virtual loop."""

    def __init__(
        self,
        path: Path,
        seed: int = 0,
        guard: GuardPolicy = OPEN_DOOR,
        *,
        concurrency: int = 4,
        rate: int = RATE,
    ) -> None:
        self._path = path
        self._rate = rate
        self._concurrency = concurrency
        self._guard = guard
        self._rng = random.Random(seed)
        self.ids = CountedIds("relay")
        self.tfe = Tfe(
            SimulatorSettings(limit=RateLimit(rate=rate)),
            clock=VirtualClock(),
            ids=CountedIds("tfe"),
            rng=self._rng,
        )
        self.clock = VirtualClock()
        self.target = MemoryTarget(self.tfe, self.clock)
        self.unasked = Unasked()
        self.store: Store
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        rules = AcceptRules(PROFILES["tfe"], "userName", 100_000, 0)
        clock, unmeasured = self.clock, Unmeasured()
        lay(self._path)
        self.store = Store(
            StoreSettings(self._path, rules, synchronous="OFF", guard=self._guard),
            clock,
            self.ids,
            unmeasured,
            lambda _metric, _label: None,
        )
        put_in_line(self.store, clock, self.ids)
        await self.store.start()
        how = DeliverySettings(concurrency=self._concurrency, timeout_s=TIMEOUT_S)
        pacer = Pacer(self._rate)
        sender = Sender(self.target, pacer, clock, unmeasured)
        identity = Identity(self.store, sender, clock)
        holds = Holds(self.store, clock)
        keeper = Keeper(holds, sender, identity, pacer, how, clock, self._rng)
        await holds.load()
        dispatcher = Dispatcher(
            store=self.store,
            sender=sender,
            pacer=pacer,
            keeper=keeper,
            identity=identity,
            health=Health(),
            settings=how,
            clock=clock,
            rng=self._rng,
            metrics=unmeasured,
        )
        self.holds, self.keeper, self.dispatcher = holds, keeper, dispatcher
        self.identity = identity
        self.importer = Importer(
            store=self.store, sender=sender, holds=holds, health=Health(), clock=clock
        )
        self.rebuilder = Rebuilder(self.store, self.importer, holds, url="memory", rate=RATE)
        parts = (dispatcher, keeper, self.rebuilder)
        self._tasks = [asyncio.create_task(part.run()) for part in parts]

    async def crash(self) -> None:
        """kill -9: nothing more is written, whatever was under way goes on at TFE only."""
        self.store._writer._batch = lambda _jobs: None  # type: ignore[method-assign]
        await self._end()

    async def stop(self) -> None:
        await self._end()
        await self.target.drain()

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        self.store.stop()
        for outcome in ended:
            if outcome is not None and not isinstance(outcome, asyncio.CancelledError):
                raise outcome

    async def pass_time(self, seconds: float) -> None:
        """Let time go by; a part that died says why."""
        await asyncio.sleep(seconds)
        for task in self._tasks:
            if task.done():
                task.result()

    async def settled(self) -> None:
        """Wait until nothing is to be sent, checked or lifted any more."""
        loop, pause_s = asyncio.get_running_loop(), 0.5
        end = loop.time() + PATIENCE_S
        while left := await self.left():
            assert loop.time() < end, f"never settled: {left}"
            await self.pass_time(pause_s)
            pause_s = min(pause_s * 1.2, 60.0)

    async def left(self) -> dict[str, Any]:
        """All that says the work is not done; empty when it is."""

        def look(tx: Any) -> dict[str, Any]:
            found = {
                "pending": tx.all("SELECT id, resource, verb FROM change WHERE state = 'pending'"),
                "lanes": tx.all("SELECT * FROM lane"),
                "effects": tx.all("SELECT * FROM effect WHERE state <> 'parked'"),
                "verifications": tx.all("SELECT * FROM verification"),
                "holds": tx.all("SELECT * FROM hold"),
            }
            return {name: rows for name, rows in found.items() if rows}

        return await self.store.run(look)

    async def counters(self) -> dict[str, int]:
        return dict((await self.store.snapshot()).counters)
