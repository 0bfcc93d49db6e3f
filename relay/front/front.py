"""The one boundary of the front: every request comes in here, every answer leaves here.

Order: token, route, method, gate, body, then the directory under one deadline. Whatever goes wrong
is a SCIM error; what is not the client's fault is a 503, and a bug is a logged 500 (A6, A10).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, assert_never

import structlog

from relay.errors import NotOwned, Refused, Unavailable
from relay.front.answers import Answer, not_allowed, of_outage, of_refusal, refused, slow_down
from relay.front.asked import Asked
from relay.front.auth import FailureLimiter, LiveToken, TokenTable
from relay.front.body import BodyReader
from relay.front.documents import Documents
from relay.front.guard import FrontProtocol
from relay.front.imports import Completer
from relay.front.origin import Origins
from relay.front.ports import Directory, FrontMetrics, Refusal, Upstream
from relay.front.queries import from_url
from relay.front.reads import Reads
from relay.front.routes import METHODS, PROVISIONING, Endpoint, Route, resolve
from relay.front.unsent import Unsent
from relay.front.writes import Writes
from relay.settings.tokens import told
from relay.telemetry import events

if TYPE_CHECKING:
    from aiohttp import web

    from relay.clock import Clock
    from relay.front.origin import IpAddress
    from relay.front.settings import Connection, FrontSettings
    from relay.rules.types import JsonObject

_READING = frozenset({"GET", "HEAD"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_REASONS = {408: Refusal.SLOW, 413: Refusal.SIZE, 415: Refusal.MEDIA_TYPE}

log = structlog.get_logger(__name__)


class Front:
    """Answers requests.

    Args:
        settings: limits and connections.
        directory: the store.
        upstream: the side that talks to TFE.
        metrics: what is counted.
        clock: when a request came.
        tokens: the live tokens; those of `settings` unless given.

    Attributes:
        tokens: the live tokens; `replace` takes others without restart.
    """

    def __init__(
        self,
        settings: FrontSettings,
        directory: Directory,
        upstream: Upstream,
        metrics: FrontMetrics,
        clock: Clock,
        tokens: TokenTable | None = None,
    ) -> None:
        completer = Completer(directory, upstream)
        self.settings = settings
        self.metrics = metrics
        self._clock = clock
        self.tokens = tokens or TokenTable(settings.connections)
        self._failures = FailureLimiter(settings.wrong_tokens)
        self._origins = Origins(
            settings.trusted_proxies, settings.allow, trusts_unix=settings.trusts_unix
        )
        self._bodies = BodyReader(settings)
        self._unsent = Unsent(settings.max_buffered_bytes, metrics.refused)
        self._documents = Documents()
        self._reads = Reads(settings, directory, completer)
        self._writes = Writes(settings, directory, completer, upstream)
        self._directory = directory
        self._upstream = upstream

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; never raises but for cancellation."""
        began_s = asyncio.get_running_loop().time()
        protocol = request.protocol
        assert isinstance(protocol, FrontProtocol)
        protocol.began()
        try:
            route = resolve(request.rel_url.raw_path, self.settings.base_path)
            token = self.tokens.find(request.headers.get("Authorization"))
            connection = self._let_in(token)
            if connection is not None:
                protocol.identified()
            made = await self._answer_safely(request, connection, route, token)
            answer = self._unsent.admitted(made)
            response = answer.response()
            if connection is None or not request.content.is_eof():
                response.force_close()
            with self._unsent.holding(answer):
                written = await self._written(request, response, protocol)
            if written and answer.confirm:
                assert answer.change is not None
                self._directory.answered(answer.change)
        finally:
            protocol.ended()
        self._observe(route.label(request.method), connection, answer, began_s)
        return response

    def _let_in(self, token: LiveToken | None) -> Connection | None:
        """Whose token it is, if it is taken still."""
        now = self._clock.wall()
        if token is None or token.ended(now):
            return None
        token.last_used = now
        return token.connection

    def _observe(
        self, label: str, connection: Connection | None, answer: Answer, began_s: float
    ) -> None:
        took_s = asyncio.get_running_loop().time() - began_s
        self.metrics.observe(label, answer.status, answer.source, took_s)
        log.debug(
            events.REQUEST_ANSWERED,
            connection=None if connection is None else connection.name,
            route=label,
            status=answer.status,
            source=answer.source.value,
            answer_s=took_s,
        )

    async def _written(
        self, request: web.BaseRequest, response: web.Response, protocol: FrontProtocol
    ) -> bool:
        """Whether the answer was wholly handed to a live socket (semantics A1).

        A client that does not take it in time is cut off.
        """
        try:
            async with asyncio.timeout(self.settings.body_deadline_s):
                await response.prepare(request)
                await response.write_eof()
        except ConnectionError:
            return False
        except TimeoutError:
            protocol.abort()
            return False
        transport = protocol.transport
        if transport is None or transport.is_closing():
            return False
        return transport.get_write_buffer_size() == 0

    async def _answer_safely(
        self,
        request: web.BaseRequest,
        connection: Connection | None,
        route: Route,
        token: LiveToken | None,
    ) -> Answer:
        client = self._origins.client_of(request)
        if connection is None or not self._origins.admits(client):
            return self._nobody(request, client, route, token)
        try:
            return await self._answer(request, connection, route)
        except Refused as refusal:
            if (reason := _reason_of(refusal)) is not None:
                self._turned_away(request, connection, route, refusal.status, reason)
            return of_refusal(refusal)
        except Unavailable as outage:
            self.metrics.refused(Refusal.BUSY)
            return of_outage(outage)
        except TimeoutError:
            self.metrics.refused(Refusal.BUSY)
            detail = "the relay's disk is slow; the request may have been accepted: repeat it"
            return of_outage(Unavailable(detail, self.settings.retry_after_s))
        except Exception:  # the supervised boundary of a request (style rule 8)
            log.exception(events.UNEXPECTED_ERROR, where=route.label(request.method))
            self.metrics.unexpected_error()
            return refused(500, "the relay failed unexpectedly; its log has the cause")

    async def _answer(
        self, request: web.BaseRequest, connection: Connection, route: Route
    ) -> Answer:
        if (problem := self._misdirected(request.method, route)) is not None:
            return problem
        asked = await self._asked(request, connection, route)
        deadline_s = self.settings.store_deadline_s + self.settings.answer_wait_s
        async with asyncio.timeout(deadline_s):
            return await self._dispatch(asked)

    def _nobody(
        self,
        request: web.BaseRequest,
        client: IpAddress | None,
        route: Route,
        token: LiveToken | None,
    ) -> Answer:
        """403 to a strange address, whatever its token; 401, or 429 to one that guesses.

        The last is not logged line by line.
        """
        if not self._origins.admits(client):
            self._turned_away(request, None, route, 403, Refusal.ADDRESS)
            return refused(403, f"requests from {client or 'there'} are not allowed here")
        address = str(client or request.remote or "local")
        wait_s = self._failures.failed(address, asyncio.get_running_loop().time())
        if wait_s:
            self.metrics.refused(Refusal.TOKEN_RATE)
            return slow_down(wait_s)
        if token is not None and token.known.ends is not None:
            self._turned_away(request, token.connection, route, 401, Refusal.TOKEN_ENDED)
            return refused(401, f"this token ended ({told(token.known.ends)}); give another one")
        self._turned_away(request, None, route, 401, Refusal.TOKEN)
        return refused(401, "the request carries no token that is known here")

    def _turned_away(
        self,
        request: web.BaseRequest,
        connection: Connection | None,
        route: Route,
        status: int,
        reason: Refusal,
    ) -> None:
        self.metrics.refused(reason)
        log.warning(
            events.REQUEST_REFUSED,
            connection=None if connection is None else connection.name,
            route=route.label(request.method),
            status=status,
            reason=reason.value,
        )

    def _misdirected(self, method: str, route: Route) -> Answer | None:
        """The error for a path or a method that leads nowhere, or None."""
        if route.endpoint is Endpoint.UNKNOWN:
            return refused(404, "there is no such endpoint")
        if route.endpoint is Endpoint.NOT_BUILT:
            return refused(501, "the relay does not offer this endpoint")
        if method not in METHODS[route.endpoint]:
            return not_allowed(METHODS[route.endpoint])
        if route.endpoint not in PROVISIONING:
            return None
        writing = route.endpoint is not Endpoint.SEARCH and method not in _READING
        if (reason := self._upstream.gate(writing=writing)) is not None:
            self.metrics.refused(Refusal.GATE)
            return of_outage(Unavailable(reason, self.settings.retry_after_s))
        return None

    async def _asked(self, request: web.BaseRequest, connection: Connection, route: Route) -> Asked:
        arrived = self._clock.wall()
        body: JsonObject | None = None
        if request.method in _WITH_BODY:
            body = await self._bodies.read_object(request)
        query = from_url(request.rel_url.raw_query_string, self.settings.max_page)
        base_url = self._base_url(request)
        return Asked(connection, request.method, route, query, base_url, body, arrived)

    def _base_url(self, request: web.BaseRequest) -> str:
        """Scheme, host and base path by which the client knows the relay."""
        settings = self.settings
        base = settings.public_url or self._origins.base_of(request, tls=bool(settings.tls))
        return base.rstrip("/") + settings.base_path

    async def _dispatch(self, asked: Asked) -> Answer:
        match asked.route.endpoint:
            case Endpoint.COLLECTION | Endpoint.RESOURCE:
                return await self._provision(asked)
            case Endpoint.SEARCH:
                return await self._reads.search(asked)
            case Endpoint.CONFIG | Endpoint.RESOURCE_TYPES | Endpoint.SCHEMAS:
                return self._documents.answer(asked)
            case Endpoint.NOT_BUILT | Endpoint.UNKNOWN:
                raise AssertionError("answered before")
            case unexpected:
                assert_never(unexpected)

    async def _provision(self, asked: Asked) -> Answer:
        if asked.method not in _READING:
            return await self._writes.write(asked)
        if asked.route.endpoint is Endpoint.COLLECTION:
            return await self._reads.list(asked)
        return await self._reads.get(asked)


def _reason_of(refusal: Refused) -> Refusal | None:
    if isinstance(refusal, NotOwned):
        return Refusal.SCOPE
    if refusal.scim_type == "invalidSyntax":
        return Refusal.SYNTAX
    return _REASONS.get(refusal.status)
