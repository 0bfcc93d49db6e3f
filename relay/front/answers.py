"""Answers as values, and their wire form: always `application/scim+json`, errors included.

RFC 7644 section 3.12 for errors; `status` in their body is a string. Every answer to a write
carries `X-Change-Id`, which `scim-relay changes show` understands.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import orjson
from aiohttp import web

from relay.front.ports import Source
from relay.rules.view import error_body

if TYPE_CHECKING:
    from relay.errors import Refused, Unavailable
    from relay.rules.types import JsonObject

CONTENT_TYPE: Final = "application/scim+json; charset=utf-8"
_SERVER: Final = "scim-relay"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client gets.

    Attributes:
        status: the HTTP status.
        body: its body, encoded; empty for none.
        source: whose word it is.
        change: the change it is about, or None.
        location: of a new resource, or None.
        retry_after_s: whole seconds, or None.
        allow: the methods of a 405, or None.
        challenge: a 401 names the scheme (RFC 9110 section 11.6.1).
        confirm: the directory wants to know when this was wholly written (semantics A1).
    """

    status: int
    body: bytes = b""
    source: Source = Source.FRONT
    change: int | None = None
    location: str | None = None
    retry_after_s: int | None = None
    allow: str | None = None
    challenge: bool = False
    confirm: bool = False

    def response(self) -> web.Response:
        """The wire form."""
        headers = {"Server": _SERVER}
        if self.body:
            headers["Content-Type"] = CONTENT_TYPE
        if self.change is not None:
            headers["X-Change-Id"] = str(self.change)
        if self.location is not None:
            headers["Location"] = self.location
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(self.retry_after_s)
        if self.allow is not None:
            headers["Allow"] = self.allow
        if self.challenge:
            headers["WWW-Authenticate"] = 'Bearer realm="scim"'
        return web.Response(status=self.status, body=self.body or None, headers=headers)


def encoded(body: JsonObject) -> bytes:
    """`body` as JSON."""
    return orjson.dumps(body)


def found(body: JsonObject, source: Source = Source.DIRECTORY) -> Answer:
    """A read's answer: 200."""
    return Answer(200, encoded(body), source)


def refused(
    status: int,
    detail: str,
    scim_type: str | None = None,
    *,
    source: Source = Source.FRONT,
    change: int | None = None,
) -> Answer:
    """An error."""
    body = encoded(error_body(status, detail, scim_type))
    return Answer(status, body, source, change, challenge=status == HTTPStatus.UNAUTHORIZED)


def of_refusal(refusal: Refused) -> Answer:
    """The client's fault."""
    return refused(refusal.status, refusal.detail, refusal.scim_type)


def of_outage(outage: Unavailable, *, change: int | None = None) -> Answer:
    """Ours: 503, and when to come back."""
    body = encoded(error_body(503, outage.detail))
    return Answer(503, body, change=change, retry_after_s=max(outage.retry_after_s, 1))


def not_allowed(allowed: frozenset[str]) -> Answer:
    """405 with what would be allowed."""
    allow = ", ".join(sorted(allowed))
    body = encoded(error_body(405, f"this endpoint takes {allow}"))
    return Answer(405, body, allow=allow)


def slow_down(retry_after_s: int) -> Answer:
    """429: too many wrong tokens from this address."""
    body = encoded(error_body(429, "too many requests without a valid token"))
    return Answer(429, body, retry_after_s=retry_after_s)
