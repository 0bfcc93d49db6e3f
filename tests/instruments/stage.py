"""Where operators' verbs are killed: a relay in virtual time with what the control socket reaches.

The stand-in dies with its relay. Its journal of requests is played to the one that the next process
inherited, so that the next life meets a TFE that did all that was sent.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from instruments.points import Request
from support.admin_api import MemoryAdmin
from support.history import Player
from support.world import CountedIds, MemoryTarget, VirtualClock, World

from relay.daemon.auditing import Auditing
from relay.front.auth import TokenTable
from relay.front.settings import Connection
from relay.orders.backup import Backup
from relay.orders.changes import ChangeOrders
from relay.orders.connections import ConnectionOrders
from relay.orders.draining import Draining
from relay.orders.erasing import Erasing
from relay.orders.holds import HoldOrders
from relay.orders.pausing import Pausing
from relay.orders.rebuilding import Rebuilding
from relay.rules.guard import Budget, GuardPolicy, Loss
from relay.site.rotating import Rotation
from relay.target.admin import AdminReader, AdminWriter
from relay.target.admin.budget import Budgets

if TYPE_CHECKING:
    from pathlib import Path

ACTOR = "ada (uid 1000)"
WHY = "ticket 4711"
NARROW = GuardPolicy(36_000.0, {loss: Budget(count=2) for loss in Loss}, max_emptied=0)
LIFE_S = 1000.0
"""Between the beginnings of two lives."""


class Unmetered:
    def pruned(self, what: str, count: int, /) -> None:
        """Nobody counts what went."""


class FileTarget(MemoryTarget):
    """Presents the token in the file; notes each request before TFE gets its first byte."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.tfe)
        self._stage = stage

    async def send(self, request: Any, attempt_id: str, departing: Any, /) -> Any:
        self._token = self._stage.token
        self._stage.note(
            "scim", attempt_id, self._token, request.method, request.path, request.body
        )
        return await super().send(request, attempt_id, departing)


class JournalledAdmin(MemoryAdmin):
    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.tfe)
        self._stage = stage

    async def send(self, request: Any, attempt_id: str, *, query: Any = None) -> Any:
        if request.method != "GET":
            self._stage.note("admin", attempt_id, "", request.method, request.path, request.body)
        return await super().send(request, attempt_id, query=query)


class Stage:
    """One life of a relay on the database in a folder."""

    def __init__(self, folder: Path, tfe: Any = None, prefix: str = "first") -> None:
        self.folder = folder
        self.world = World(folder / "relay.db", guard=NARROW)
        self.tfe = tfe or self.world.tfe
        self.world.tfe = self.tfe
        self.world.ids = CountedIds(prefix)
        self.play = Player(self.world)
        self._journal: Any = None

    @property
    def token(self) -> str:
        return (self.folder / "tfe-token").read_text().strip()

    @property
    def store(self) -> Any:
        return self.world.store

    def note(self, *what: Any) -> None:
        if self._journal is not None:
            self._journal.write(json.dumps(what).encode() + b"\n")

    async def begin(self) -> None:
        if not (self.folder / "tfe-token").exists():
            (self.folder / "tfe-token").write_text(f"{self.tfe.token}\n")
        admin = JournalledAdmin(self)
        await self.heard(admin)
        self._journal = (self.folder / "journal").open("ab", buffering=0)
        self.world.target = FileTarget(self)
        await self.world.start()
        await self.world.importer.load()
        reader = AdminReader(admin, Budgets(), CountedIds("asked"))
        self.rotation = Rotation(
            reader=reader,
            writer=AdminWriter(reader.channel),
            store=self.store,
            keeper=self.world.keeper,
            path=self.folder / "tfe-token",
            clock=VirtualClock(),
            ids=self.world.ids,
        )
        self.routes = await self._routes()

    async def _routes(self) -> dict[str, Any]:
        store, holds, clock = self.store, self.world.holds, VirtualClock()
        tokens = TokenTable([Connection("idp", ()), Connection("heir", ())])
        orders = (
            HoldOrders(store, clock),
            ChangeOrders(store, holds, clock),
            ConnectionOrders(tokens, store, clock),
            Erasing(store),
            Backup(store),
            Pausing("memory", store, holds),
            Rebuilding(store, self.world.rebuilder),
            await Draining.of(store),
        )
        return {name: route for one in orders for name, route in one.routes().items()}

    async def order(self, route: str, **arguments: Any) -> Any:
        """What the control socket would have done."""
        return await self.routes[route]({"reason": WHY, **arguments}, ACTOR)

    async def pruned(self) -> None:
        """Let the audit log go that is older than this life."""
        upkeep = Auditing(self.store, LIFE_S / 2, LIFE_S / 2, Unmetered(), pause_s=0.01)
        await upkeep.prune()

    async def heard(self, admin: MemoryAdmin) -> None:
        """Have TFE do what lives before this one have sent."""
        journal = self.folder / "journal"
        lines = journal.read_bytes().splitlines() if journal.exists() else []
        scim = MemoryTarget(self.tfe)
        for kind, attempt, token, *request in map(json.loads, lines):
            if kind == "scim":
                scim._token = token
                await scim.send(Request(*request), attempt, lambda: None)
            else:
                await admin.send(Request(*request), attempt)

    async def upkeep(self) -> None:
        """What a start finishes by itself."""
        await self.store.audit.finish()
        await self.rotation.resume()
        await asyncio.sleep(1.0)

    async def settled(self) -> None:
        """Let all go out that is not held."""
        for _ in range(40):
            await self.world.pass_time(1.0)
            if not await self.store.run(_busy):
                return
        raise AssertionError(await self.world.left())

    async def end(self) -> None:
        await self.world.stop()
        if self._journal is not None:
            self._journal.close()


def _busy(tx: Any) -> bool:
    if tx.one("SELECT 1 FROM hold"):
        return False
    return bool(
        tx.one("SELECT 1 FROM effect WHERE state IN ('open', 'waiting')")
        or tx.one("SELECT 1 FROM verification")
        or tx.one("SELECT 1 FROM attempt WHERE verdict IS NULL")
    )
