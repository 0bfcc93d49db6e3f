"""A directory, an upstream and metrics in memory, for tests of the front alone.

`FakeDirectory` keeps the promises of `relay.front.ports.Directory` (names unique without regard to
case, ids for ever, unknown ids 404) and lets a test decide when and how TFE answers.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import aiohttp

from relay.clock import SystemClock
from relay.errors import NotKnown, Refused, Unavailable
from relay.front.front import Front
from relay.front.server import serve_front
from relay.front.settings import AnswerMode, Connection, FrontSettings
from relay.rules.shadow import apply
from relay.rules.types import JsonObject, Kind, MemberOp, Verb, Write
from relay.settings.kinds import Address
from relay.settings.tokens import InboundToken
from relay.store.state.records import (
    Accepted,
    ListQuery,
    Member,
    Page,
    Resource,
    Settlement,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection

    from relay.front.guard import ConnectionGuard

TOKEN = "relay-test-token"
STRICT_TOKEN = "relay-strict-token"


def token_hash(token: str) -> str:
    return f"sha256:{sha256(token.encode()).hexdigest()}"


def known(token: str, label: str = "", ends: float | None = None) -> InboundToken:
    return InboundToken(token_hash(token), label, ends)


CONNECTIONS = (
    Connection("okta", (known("an-older-token"), known(TOKEN))),
    Connection("careful", (known(STRICT_TOKEN),), AnswerMode.STRICT),
)


class FakeDirectory:
    """Resources in a dict.

    Attributes:
        wait: what `Accepted.wait` says.
        failure: raised by the next call of any kind, once.
        stuck: while set, `accept` waits for it (a slow disk).
        pages: while set and not fired, lists without an index wait for it.
        changes: the futures by which a test settles changes.
    """

    def __init__(self) -> None:
        self.resources: dict[tuple[Kind, str], Resource] = {}
        self.refusals: dict[tuple[Kind, str], JsonObject] = {}
        self.wait = False
        self.failure: Exception | None = None
        self.stuck: asyncio.Event | None = None
        self.changes: dict[int, asyncio.Future[Settlement]] = {}
        self.accepted: list[tuple[str, Write, bool]] = []
        self.entered = asyncio.Event()
        self.waiting = asyncio.Event()
        self.answered_changes: list[int] = []
        self.gone = asyncio.Event()
        self.gone_changes: list[int] = []
        self.roster_reads = 0
        self.pages: asyncio.Event | None = None
        self.pages_asked = 0

    async def accept(
        self,
        connection: str,
        write: Write,
        resource_id: str | None,
        /,
        *,
        patient: bool,
        strict: bool,
        most_members: int,
        arrived: float,
        own: bool,
    ) -> Accepted:
        self.entered.set()
        if self.stuck is not None:
            await self.stuck.wait()
        self._fail()
        resource = self._apply(write, resource_id)
        self.accepted.append((connection, write, patient))
        if resource is not None:
            shown = len(resource.members or ()) <= most_members
            self.roster_reads += shown
            resource = _shown(resource, members=shown)
        change = len(self.accepted)
        self.changes[change] = asyncio.get_running_loop().create_future()
        return Accepted(change, resource, wait=self.wait and (patient or strict))

    def settle(self, change: int, settlement: Settlement) -> None:
        self.changes[change].set_result(settlement)

    async def settlement(self, change: int, /) -> Settlement:
        self.waiting.set()
        return await asyncio.shield(self.changes[change])

    async def answer_from_directory(self, change: int, /) -> Settlement | None:
        future = self.changes[change]
        return future.result() if future.done() else None

    async def client_gone(self, change: int, /) -> None:
        self.gone_changes.append(change)
        self.gone.set()

    def answered(self, change: int, /) -> None:
        self.answered_changes.append(change)

    async def get(self, kind: Kind, resource_id: str, /, *, members: bool) -> Resource | None:
        self._fail()
        self.roster_reads += members
        resource = self.resources.get((kind, resource_id))
        return None if resource is None else _shown(resource, members=members)

    async def why_missing(self, kind: Kind, resource_id: str, /) -> JsonObject | None:
        return self.refusals.get((kind, resource_id))

    async def list(self, kind: Kind, query: ListQuery, /) -> Page:
        self._fail()
        if query.equals is None:
            self.pages_asked += 1
            if self.pages is not None:
                await self.pages.wait()
        return self._page(kind, lambda resource: _equals(resource, query.equals), query)

    async def public_ids(self, ids: Collection[str], /) -> dict[str, str]:
        return {}

    async def scan(
        self, kind: Kind, predicate: Callable[[Resource], bool], query: ListQuery, /
    ) -> Page:
        self._fail()
        return self._page(kind, predicate, query)

    def add(self, kind: Kind, public_id: str, members: tuple[str, ...] = (), **shadow: Any) -> None:
        roster = tuple(Member(one, f"name of {one}") for one in members)
        self.resources[kind, public_id] = Resource(
            len(self.resources) + 1,
            kind,
            public_id,
            shadow,
            1_700_000_000.0,
            1_700_000_000.0,
            roster if kind is Kind.GROUP else None,
        )

    def _fail(self) -> None:
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure

    def _page(self, kind: Kind, accepts: Callable[[Resource], bool], query: ListQuery) -> Page:
        found = [
            resource
            for (of_kind, _), resource in self.resources.items()
            if of_kind is kind and accepts(resource)
        ]
        page = found[query.start - 1 : query.start - 1 + query.count]
        return Page(len(found), tuple(_shown(one, members=query.members) for one in page))

    def _apply(self, write: Write, resource_id: str | None) -> Resource | None:
        if write.verb is Verb.CREATE:
            return self._create(write)
        key = (write.kind, resource_id or "")
        if key not in self.resources:
            raise NotKnown(write.kind, [key[1]], f"{write.kind} {resource_id} not found")
        if write.verb is Verb.DELETE:
            del self.resources[key]
            return None
        before = self.resources[key]
        after = replace(before, shadow=apply(write, before.shadow))
        self.resources[key] = replace(after, members=self._roster(write, before.members or ()))
        return self.resources[key]

    def _create(self, write: Write) -> Resource:
        shadow = apply(write, None)
        name = str(shadow[write.kind.name_attribute])
        if any(_equals(one, (write.kind.name_attribute, name)) for one in self.resources.values()):
            raise Refused(409, f"{name} is taken", "uniqueness")
        public_id = f"{write.kind.value.lower()}-{len(self.resources) + 1}"
        key = (write.kind, public_id)
        row = len(self.resources) + 1
        self.resources[key] = Resource(row, write.kind, public_id, shadow, 0.0, 0.0)
        self.resources[key] = replace(self.resources[key], members=self._roster(write, ()))
        return self.resources[key]

    def _roster(self, write: Write, before: tuple[Member, ...]) -> tuple[Member, ...] | None:
        if write.kind is Kind.USER:
            return None
        roster = {member.id: member for member in before}
        for edit in write.members:
            if edit.op is MemberOp.REPLACE:
                roster.clear()
            for one in edit.ids:
                if edit.op is MemberOp.REMOVE:
                    roster.pop(one, None)
                    continue
                if (Kind.USER, one) not in self.resources:
                    raise NotKnown(Kind.USER, [one], f"User {one} not found")
                roster[one] = Member(one, f"name of {one}")
        return tuple(roster.values())


def _shown(resource: Resource, *, members: bool) -> Resource:
    return resource if members else replace(resource, members=None)


def _equals(resource: Resource, equals: tuple[str, str] | None) -> bool:
    match equals:
        case None:
            return True
        case ("id", value):
            return resource.public_id == value
        case ("members.value", value):
            return value in {member.id for member in resource.members or ()}
        case ("externalId", value):
            return resource.shadow.get("externalId") == value
        case (name, value):
            return str(resource.shadow.get(name, "")).lower() == value.lower()


class FakeUpstream:
    """What TFE would say.

    Attributes:
        reason: the gate's reason.
        writing: whether each call that came to the gate was a write.
        complete: the import is complete.
        at_target: what a fetch puts into the directory, by `(kind, key, value)`.
        reachable: TFE can be asked.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.writing: list[bool] = []
        self.complete = True
        self.reachable = True
        self.at_target: dict[tuple[Kind, str, str], Callable[[], None]] = {}
        self.fetched: list[tuple[Kind, str, str]] = []

    def gate(self, *, writing: bool) -> str | None:
        self.writing.append(writing)
        return self.reason

    def import_complete(self) -> bool:
        return self.complete

    def silent_s(self) -> float:
        return 0.0

    async def fetch(self, kind: Kind, key: str, value: str, /) -> None:
        if not self.reachable:
            raise Unavailable("TFE cannot be asked", 7)
        self.fetched.append((kind, key, value))
        self.at_target.get((kind, key, value), lambda: None)()


@dataclass
class RecordedMetrics:
    observed: list[tuple[str, int, str]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    faults: int = 0

    def observe(self, route: str, status: int, source: str, seconds: float, /) -> None:
        assert seconds >= 0
        self.observed.append((route, status, source))

    def refused(self, reason: str, /) -> None:
        self.refusals.append(reason)

    def unexpected_error(self) -> None:
        self.faults += 1


@dataclass
class Site:
    """A running front and a client of it."""

    port: int
    session: aiohttp.ClientSession
    directory: FakeDirectory
    upstream: FakeUpstream
    metrics: RecordedMetrics
    guard: ConnectionGuard
    front: Front

    async def send(
        self, method: str, path: str, *, token: str | None = TOKEN, **options: Any
    ) -> tuple[aiohttp.ClientResponse, Any]:
        """Send a request below the base path; the response and its decoded body."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers.setdefault("Authorization", f"Bearer {token}")
        url = f"http://127.0.0.1:{self.port}/scim/v2{path}"
        from yarl import URL

        async with self.session.request(
            method, URL(url, encoded=True), headers=headers, **options
        ) as response:
            text = await response.read()
            body = await response.json(content_type=None) if text else None
        return response, body

    async def raw(self, sent: bytes, *, eof: bool = False) -> bytes:
        """Send bytes on a connection of their own; all bytes that come back until it closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(sent)
            if eof:
                writer.write_eof()
            async with asyncio.timeout(10):
                return await reader.read()
        except ConnectionResetError:
            return b""  # cut off with bytes of ours unread: a deadline was over before they came
        finally:
            writer.close()


@asynccontextmanager
async def running(**changes: Any) -> AsyncIterator[Site]:
    """A front on a free port, with settings changed as asked."""
    settings = FrontSettings(connections=CONNECTIONS, address=Address("127.0.0.1", 0), drain_s=1.0)
    directory, upstream, metrics = FakeDirectory(), FakeUpstream(), RecordedMetrics()
    front = Front(replace(settings, **changes), directory, upstream, metrics, SystemClock())
    async with serve_front(front) as listening, aiohttp.ClientSession() as session:
        yield Site(listening.port, session, directory, upstream, metrics, listening.guard, front)
