"""Typed reads of TFE: pages, look-ups, single resources, the probe.

Each call is one request, for which the caller has acquired a slot. It must never trust that a
filter was honoured: a found object is given out only after its own attribute was compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from relay.errors import MaybeSent, NotSent, TargetError
from relay.rules.planner_forms import resource_path
from relay.rules.types import Kind
from relay.rules.verdict import Outcome, Sent, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from relay.rules.types import JsonObject
    from relay.target.client import TargetClient


class ReadFailed(TargetError):
    """TFE did not give what was asked for.

    Attributes:
        verdict: why, for the holds; its outcome is never DELIVERED.
    """

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(f"cannot read from the target: {verdict.outcome}: {verdict.detail}")
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Get:
    """A read, as the client sends it."""

    path: str
    method: str = "GET"
    body: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of TFE's answer to a list: the total of all, and the resources on this page."""

    total: int
    resources: tuple[JsonObject, ...]


class Reads:
    """Reads over a client. All methods raise ReadFailed if TFE does not answer the question."""

    def __init__(self, client: TargetClient) -> None:
        self._client = client

    async def get_page(
        self, kind: Kind, start: int, count: int, attempt_id: str, *, members: bool = True
    ) -> ListPage:
        """The page that begins at the 1-based index `start`; TFE caps `count` at 200."""
        query = {"startIndex": str(start), "count": str(count)}
        return await self._list(kind, query, attempt_id, members=members)

    async def find(
        self, kind: Kind, key: str, value: str, attempt_id: str, *, members: bool = True
    ) -> JsonObject | None:
        """The one resource whose attribute really has the value, or None.

        Args:
            kind: where to look.
            key: `userName` or `displayName`, compared without regard to case, or `externalId`,
                compared exactly: all that TFE filters by.
            value: what to look for.
            attempt_id: for `X-Request-Id`.
            members: whether a group carries its roster.
        """
        literal = orjson.dumps(value).decode()
        page = await self._list(
            kind, {"filter": f"{key} eq {literal}"}, attempt_id, members=members
        )
        return next((found for found in page.resources if _matches(found, key, value)), None)

    async def get(
        self, kind: Kind, target_id: str, attempt_id: str, *, members: bool = True
    ) -> JsonObject | None:
        """The resource with this id of TFE's, or None if TFE says there is none."""
        query = _without_members(kind, members=members)
        try:
            found = await self._read(resource_path(kind, target_id), query, attempt_id)
        except ReadFailed as failure:
            if failure.verdict.outcome is Outcome.MISSING:
                return None
            raise
        if found.get("id") != target_id:
            raise _not_understood("another resource")
        return found

    async def probe(self, attempt_id: str) -> int:
        """How many users TFE has: the gentlest call that a pause refuses and a token must pass."""
        page = await self._list(Kind.USER, {"count": "0"}, attempt_id, members=True)
        return page.total

    async def discovery(self, attempt_id: str) -> JsonObject:
        """TFE's ServiceProviderConfig: proves the token, but says nothing about a pause."""
        return await self._read("/ServiceProviderConfig", {}, attempt_id)

    async def _list(
        self, kind: Kind, query: Mapping[str, str], attempt_id: str, *, members: bool
    ) -> ListPage:
        query = {**query, **_without_members(kind, members=members)}
        return _list_page(await self._read(f"/{kind.plural}", query, attempt_id))

    async def _read(self, path: str, query: Mapping[str, str], attempt_id: str) -> JsonObject:
        """The object TFE answered with."""
        try:
            answer = await self._client.send(Get(path), attempt_id, query=query)
            verdict = judge(Sent("GET"), answer)
        except (NotSent, MaybeSent) as failure:
            verdict = judge(Sent("GET"), failure)
        if verdict.outcome is not Outcome.DELIVERED:
            raise ReadFailed(verdict)
        if verdict.resource is None:
            raise _not_understood("no object")
        return verdict.resource


def _without_members(kind: Kind, *, members: bool) -> dict[str, str]:
    """The query parameter that spares a roster."""
    return {} if members or kind is Kind.USER else {"excludedAttributes": "members"}


def _matches(resource: JsonObject, key: str, value: str) -> bool:
    """Whether the resource's own attribute has the value that was filtered for."""
    held = resource.get(key)
    if not isinstance(held, str):
        return False
    return held == value if key == "externalId" else held.casefold() == value.casefold()


def _list_page(body: JsonObject) -> ListPage:
    """A ListResponse (RFC 7644 section 3.4.2); `Resources` may be absent when there are none."""
    match body.get("totalResults"), body.get("Resources"):
        case int(total), None:
            return ListPage(total, ())
        case int(total), [*resources]:
            return ListPage(total, tuple(found for found in resources if isinstance(found, dict)))
        case _:
            raise _not_understood("no list")


def _not_understood(what: str) -> ReadFailed:
    """For a 2xx that is not what TFE documents: charged to the target, never to a change."""
    detail = f"the target's answer is {what}"
    return ReadFailed(Verdict(Outcome.DOWN, ambiguous=False, detail=detail))
