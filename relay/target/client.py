"""Sends one request to TFE and says how far it got (D2, K1).

In charge of connections, headers, deadlines and the three possible ends of a request: answered,
not sent, maybe sent. It must never repeat, redirect, pace or judge: one call is at most one
request on the wire, and whoever calls has acquired its slot.

Where the line between *not sent* and *maybe sent* lies: aiohttp announces the headers just before
they are handed to the transport. All that fails earlier (resolving, connecting, TLS, waiting for
a connection) left no byte. From then on we do not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote, urlencode

import aiohttp
import orjson
from yarl import URL

from relay import __version__
from relay.errors import MaybeSent, NotSent
from relay.rules.contract import SCIM_MEDIA_TYPE
from relay.rules.verdict import Answered
from relay.target.way import DIRECT, Way

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import SimpleNamespace, TracebackType
    from typing import Self

    from relay.clock import Clock
    from relay.rules.types import Json, JsonObject
    from relay.target.token import TokenSource

MAX_ANSWER_BYTES: Final = 64_000_000
"""Far above a page of 200 full groups (33 MB at 166 kB each); below what hurts."""

_JUDGED_HEADERS: Final = ("retry-after", "date")
_TEXT_CHARS: Final = 4_000
"""Characters of an answer that is no JSON which are kept for its detail."""


class Sendable(Protocol):
    """What can be sent: the planner's `Request`, or a read."""

    @property
    def method(self) -> str:
        """The HTTP method."""
        ...

    @property
    def path(self) -> str:
        """Relative to the base, already percent-encoded."""
        ...

    @property
    def body(self) -> JsonObject | None:
        """The JSON to send, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where TFE is and how to talk to it.

    Attributes:
        base_url: up to and without the slash before `Users`.
        timeout_s: for a whole request, connecting included; TFE itself may take 30 s.
        connect_timeout_s: for connecting and TLS.
        concurrency: connections at most, kept open between requests.
        way: what lies between: authorities, a certificate of ours, a proxy.
        keepalive_s: how long an idle connection is kept.
        max_answer_bytes: longest answer read; a longer one counts as cut.
        media_type: of what is sent and wanted; the admin API's is another than SCIM's.
        kept_headers: lower-cased names of headers to keep beside those that are judged.
    """

    base_url: str
    timeout_s: float = 60.0
    connect_timeout_s: float = 10.0
    concurrency: int = 4
    way: Way = DIRECT
    keepalive_s: float = 75.0
    max_answer_bytes: int = MAX_ANSWER_BYTES
    media_type: str = SCIM_MEDIA_TYPE
    kept_headers: tuple[str, ...] = ()


def _nobody() -> None:
    """Whom nobody told to listen for the departure of a request."""


class _Phase:
    """How far one request got."""

    __slots__ = ("_departing", "sending")

    def __init__(self, departing: Callable[[], None]) -> None:
        self.sending = False
        self._departing = departing

    def depart(self) -> None:
        """Its first byte leaves now."""
        self.sending = True
        self._departing()


class TargetClient:
    """A client of one TFE; use it as an asynchronous context manager."""

    def __init__(self, endpoint: Endpoint, token: TokenSource, clock: Clock) -> None:
        self._endpoint = endpoint
        self._base = endpoint.base_url.rstrip("/")
        self._token = token
        self._clock = clock
        self._proxy = endpoint.way.proxy(endpoint.base_url)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session; raises SettingsError if a file of the way cannot be used."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._endpoint.concurrency,
                keepalive_timeout=self._endpoint.keepalive_s,
                ssl=self._endpoint.way.context(),
            ),
            timeout=aiohttp.ClientTimeout(
                total=self._endpoint.timeout_s, sock_connect=self._endpoint.connect_timeout_s
            ),
            trace_configs=[_phase_trace()],
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        # aiohttp repeats GET, PUT and DELETE by itself when a kept connection breaks: a request
        # nobody paced, and a second execution nobody recorded. There is no public switch.
        self._session._retry_connection = False  # noqa: SLF001
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(
        self,
        request: Sendable,
        attempt_id: str,
        departing: Callable[[], None] = _nobody,
        *,
        query: Mapping[str, str] | None = None,
    ) -> Answered:
        """Send once; the answer, whatever its status.

        Args:
            request: what to send.
            attempt_id: for `X-Request-Id`, so that TFE's log and ours can be joined.
            departing: called just before its first byte leaves, once a connection stands.
            query: parameters, not yet encoded.

        Raises:
            NotSent: no byte of it left.
            MaybeSent: bytes left and no whole, understandable answer came.
        """
        assert self._session is not None, "the client is not open"
        phase = _Phase(departing)
        try:
            async with self._session.request(
                request.method,
                self._url(request.path, query),
                data=None if request.body is None else orjson.dumps(request.body),
                headers=self._headers(request, attempt_id),
                allow_redirects=False,
                proxy=self._proxy,
                trace_request_ctx=phase,
            ) as response:
                return await self._answer(response)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise _failure(phase, error, self._endpoint.timeout_s) from error

    def _url(self, path: str, query: Mapping[str, str] | None) -> URL:
        suffix = f"?{urlencode(query, quote_via=quote)}" if query else ""
        return URL(f"{self._base}{path}{suffix}", encoded=True)

    def _headers(self, request: Sendable, attempt_id: str) -> dict[str, str]:
        """All headers; the one place where the token is revealed."""
        headers = {
            "Authorization": f"Bearer {self._token.reveal()}",
            "Accept": self._endpoint.media_type,
            "User-Agent": f"tfe-scim-relay/{__version__}",
            "X-Request-Id": attempt_id,
        }
        if request.body is not None:
            headers["Content-Type"] = self._endpoint.media_type
        return headers

    async def _answer(self, response: aiohttp.ClientResponse) -> Answered:
        """The answer in full; a status that settles the matter does so even if its body is cut."""
        success = response.status // 100 == 2  # noqa: PLR2004 - the class of successes
        try:
            body = _parsed(await self._read(response), success)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            if success:
                raise
            body = None
        kept = (*_JUDGED_HEADERS, *self._endpoint.kept_headers)
        headers = {name: response.headers[name] for name in kept if name in response.headers}
        return Answered(response.status, headers, body, self._clock.wall())

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """The whole body; raises ValueError past the limit, after decompression."""
        chunks = bytearray()
        async for chunk in response.content.iter_any():
            chunks += chunk
            if len(chunks) > self._endpoint.max_answer_bytes:
                raise ValueError("the answer is longer than any answer of TFE")
        return bytes(chunks)


def _phase_trace() -> aiohttp.TraceConfig:
    """Notes on each request's `_Phase` that its bytes are about to leave."""

    async def sending(
        _session: aiohttp.ClientSession,
        context: SimpleNamespace,
        _params: aiohttp.TraceRequestHeadersSentParams,
    ) -> None:
        context.trace_request_ctx.depart()

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(sending)
    return trace


def _failure(phase: _Phase, error: Exception, timeout_s: float) -> NotSent | MaybeSent:
    """The one place where aiohttp's errors become ours; their text never holds the token."""
    if isinstance(error, TimeoutError):
        reason = f"no answer in {timeout_s:g} s" if phase.sending else "connecting took too long"
    else:
        reason = f"{type(error).__name__}: {error}"
    if phase.sending:
        return MaybeSent(f"bytes left, but no whole answer came: {reason}")
    return NotSent(f"cannot reach the target: {reason}")


def _parsed(raw: bytes, success: bool) -> Json:
    """The body as JSON, None if empty; text of an error that is none.

    Raises ValueError for a success that is no JSON: it is not TFE who answered, or the answer
    was cut.
    """
    if not raw.strip():
        return None
    try:
        parsed: Json = orjson.loads(raw)
    except orjson.JSONDecodeError:
        if success:
            raise ValueError("the answer is no JSON") from None
        return raw.decode("utf-8", "replace")[:_TEXT_CHARS]
    return parsed
