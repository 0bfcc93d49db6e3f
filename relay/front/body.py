"""Reading a request's body within bounds of size, time and shape (A9, P6, P12).

aiohttp has no deadline for a body and no notion of JSON; both are here. What comes out is a JSON
object, or `Refused` with the status that names the fault.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import orjson
from aiohttp import web

from relay.errors import Refused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relay.front.settings import FrontSettings
    from relay.rules.types import JsonObject

_JSON_TYPES: Final = frozenset({"application/json", "application/scim+json"})
_BOM: Final = b"\xef\xbb\xbf"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class BodyReader:
    """Reads bodies; bounds what all of those being read hold together."""

    def __init__(self, settings: FrontSettings) -> None:
        self._settings = settings
        self._buffered_bytes = 0

    async def read_object(self, request: web.BaseRequest) -> JsonObject:
        """The JSON object in the body.

        Raises:
            Refused: 400 `invalidSyntax`, 408 too slow, 413 too long, 415 no JSON, 417.
            Unavailable: too much is being read at once.
        """
        _require_json(request)
        self._require_length(request.content_length)
        await _continue(request)
        return parse_object(await self._read(request), self._settings)

    def _require_length(self, length: int | None) -> None:
        if length is not None and length > self._settings.max_body_bytes:
            raise self._too_long()

    def _too_long(self) -> Refused:
        return Refused(413, f"the body is longer than {self._settings.max_body_bytes} bytes")

    async def _read(self, request: web.BaseRequest) -> bytes:
        try:
            if request.content.is_eof():  # it came with the head: there is nothing to wait for
                return await self._collect(request)
            async with asyncio.timeout(self._settings.body_deadline_s):
                return await self._collect(request)
        except TimeoutError as error:
            deadline = self._settings.body_deadline_s
            raise Refused(408, f"the body did not arrive within {deadline:g} s") from error
        except web.RequestPayloadError as error:
            raise _malformed("the body's transfer or content encoding is broken") from error

    async def _collect(self, request: web.BaseRequest) -> bytes:
        """All of the body. It is counted as it comes out of decompression: no bomb gets far."""
        chunks: list[bytes] = []
        size = 0
        with self._budget() as take:
            while chunk := await request.content.readany():
                size += len(chunk)
                if size > self._settings.max_body_bytes:
                    raise self._too_long()
                take.append(len(chunk))
                self._take(len(chunk))
                chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    @contextmanager
    def _budget(self) -> Iterator[list[int]]:
        taken: list[int] = []
        try:
            yield taken
        finally:
            self._buffered_bytes -= sum(taken)

    def _take(self, size: int) -> None:
        self._buffered_bytes += size
        if self._buffered_bytes > self._settings.max_buffered_bytes:
            raise Unavailable("too many large requests at once", retry_after_s=1)


def parse_object(body: bytes, settings: FrontSettings) -> JsonObject:
    """The JSON object in `body`.

    orjson refuses NaN, lone surrogates and more than 1,024 levels, and takes the last of repeated
    keys. The containers are counted before anything is built: 16 MB of `[]` would take 350 MB.

    Raises:
        Refused: 400 `invalidSyntax`.
    """
    body = body.removeprefix(_BOM)
    if not body.strip():
        raise _malformed("the body is empty")
    if body.count(b"{") + body.count(b"[") > settings.max_containers:
        raise _malformed(f"the body has more than {settings.max_containers} objects and arrays")
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _malformed(f"the body is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise _malformed("the body must be a JSON object")
    _require_shallow(parsed, settings.max_depth)
    return parsed


def _require_shallow(parsed: JsonObject, max_depth: int) -> None:
    """Level by level, containers only: a full group of 1,000 members takes 0.2 ms."""
    level: list[object] = [parsed]
    for _ in range(max_depth):
        level = [
            child
            for container in level
            for child in (container.values() if isinstance(container, dict) else container)  # type: ignore[attr-defined]  # a list
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise _malformed(f"the body is nested deeper than {max_depth} levels")


def _require_json(request: web.BaseRequest) -> None:
    """415 for what says it is something else; a missing type is taken for JSON.

    The `charset` is not looked at: JSON is UTF-8 whatever it says (RFC 8259 section 8.1).
    """
    given = request.headers.get("Content-Type", "")
    media_type = given.partition(";")[0].strip().lower()
    if media_type and media_type not in _JSON_TYPES:
        raise Refused(415, "the body must be application/scim+json or application/json")


async def _continue(request: web.BaseRequest) -> None:
    """Answer `Expect: 100-continue` (RFC 9110 section 10.1.1); curl waits a second for it."""
    expected = request.headers.get("Expect")
    if expected is None:
        return
    if expected.lower() != "100-continue":
        raise Refused(417, "only Expect: 100-continue is understood")
    await request.writer.write(_CONTINUE)
    request.writer.output_size = 0


def _malformed(detail: str) -> Refused:
    return Refused(400, detail, "invalidSyntax")
