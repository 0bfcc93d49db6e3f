"""POST, PUT, PATCH, DELETE: on disk first, then whose answer comes first (A2, semantics A1-A3).

What the body of an answer holds: the whole resource, as RFC 7644 sections 3.3 and 3.5 want it, or
nothing: section 3.5.2 lets a PATCH be answered 204. A group of more than 100 members is, unless
`attributes` names them: a roster of 1,000 is 150 kB, and senders make one PATCH a member. Every
sender known takes a 204 there (`idp-dialects.md` section 2, rule 1).
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final

import structlog

from relay.errors import NotKnown, Unavailable
from relay.front.answers import Answer, encoded, of_outage, refused
from relay.front.ports import Directory, Source, Upstream
from relay.front.render import location_of, rendered, without_members
from relay.front.settings import AnswerMode, FrontSettings
from relay.rules import dialect
from relay.rules import shadow as shadows
from relay.rules.types import Kind, Verb, Write
from relay.store.state.records import SHORT_ROSTER, Accepted, ChangeState, Resource, Settlement
from relay.telemetry import events

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from relay.front.asked import Asked
    from relay.front.imports import Completer

log = structlog.get_logger(__name__)

PATCH_MEMBERS: Final = SHORT_ROSTER
"""Members of a group up to which a PATCH is answered with the whole of it: 16 kB."""

_NO_LIMIT: Final = 1 << 62
_STRICT_WAIT_S: Final = 2.0  # a strict connection waits even if `answer.wait` is 0


class Writes:
    """Answers writes."""

    def __init__(
        self,
        settings: FrontSettings,
        directory: Directory,
        completer: Completer,
        upstream: Upstream,
    ) -> None:
        self._wait_s = settings.answer_wait_s
        self._retry_after_s = settings.retry_after_s
        self._directory = directory
        self._completer = completer
        self._upstream = upstream

    async def write(self, asked: Asked) -> Answer:
        """Any write.

        Raises:
            Refused: it can never succeed.
            Unavailable: it cannot be put on disk now.
        """
        write = parsed_write(asked)
        accepted = await self._accept(asked, write)
        log.debug(
            events.CHANGE_ACCEPTED,
            connection=asked.connection.name,
            change=accepted.change,
            verb=write.verb.value,
            kind=write.kind.value,
            resource=None if accepted.resource is None else accepted.resource.public_id,
            dropped=[*write.dropped, *accepted.left_out],
        )
        if not accepted.wait:
            return await self._told(asked, write, accepted, None)
        settlement = await self._wait(accepted.change)
        if settlement is None and _strict(asked):
            return self._not_yet(accepted)
        if settlement is not None and settlement.state is not ChangeState.DELIVERED:
            return _refused_by_target(settlement, accepted)
        return await self._told(asked, write, accepted, settlement)

    async def _accept(self, asked: Asked, write: Write) -> Accepted:
        """Put it on disk; while the directory is being filled, what it misses is asked of TFE."""
        await self._look_first(asked, write)
        asked_for: set[str] = set()
        while True:
            try:
                return await self._put_on_disk(asked, write)
            except NotKnown as miss:
                if not self._completer.needed or asked_for.issuperset(miss.ids):
                    raise
                await self._completer.fetch_all(miss)
                asked_for.update(miss.ids)

    async def _look_first(self, asked: Asked, write: Write) -> None:
        """What TFE has is nobody's: an own connection does not come by it before it was read."""
        creates = write.verb is Verb.CREATE
        if not (creates and asked.connection.own and self._completer.needed):
            return
        name = shadows.apply(write, None).get(write.kind.name_attribute)
        if isinstance(name, str):
            await self._completer.look_for(write.kind, name)

    def _put_on_disk(self, asked: Asked, write: Write) -> Awaitable[Accepted]:
        return self._directory.accept(
            asked.connection.name,
            write,
            asked.route.id,
            patient=self._wait_s > 0,
            strict=_strict(asked),
            most_members=_most_members(asked, write),
            arrived=asked.arrived,
            own=asked.connection.own,
        )

    async def _wait(self, change: int) -> Settlement | None:
        """TFE's answer if it comes in time; None: the directory's stands (A2)."""
        try:
            return await self._first_answer(change, self._wait_s or _STRICT_WAIT_S)
        except asyncio.CancelledError:
            # The client has gone. The store keeps the note before its first suspension, so that a
            # second cancellation cannot lose it.
            await self._directory.client_gone(change)
            raise

    async def _first_answer(self, change: int, wait_s: float) -> Settlement | None:
        try:
            async with asyncio.timeout(wait_s):
                return await self._directory.settlement(change)
        except TimeoutError:
            return await self._directory.answer_from_directory(change)

    def _not_yet(self, accepted: Accepted) -> Answer:
        detail = (
            f"TFE has not confirmed this yet; it is kept as change {accepted.change} and will be "
            "delivered: repeat the request to learn its result"
        )
        wait_s = max(self._retry_after_s, math.ceil(self._upstream.silent_s()))
        return of_outage(Unavailable(detail, wait_s), change=accepted.change)

    async def _told(
        self, asked: Asked, write: Write, accepted: Accepted, settlement: Settlement | None
    ) -> Answer:
        source = Source.DIRECTORY if settlement is None else Source.TARGET
        resource = accepted.resource if settlement is None else settlement.resource
        if write.verb is Verb.DELETE or resource is None:
            return Answer(204, source=source, change=accepted.change)
        resource = await self._with_members(asked, write, resource)
        if resource.members is None and _wants_members(asked, write):
            return Answer(204, source=source, change=accepted.change)
        body = encoded(rendered(resource, asked.base_url, asked.query))
        if write.verb is not Verb.CREATE:
            return Answer(200, body, source, accepted.change)
        location = location_of(resource, asked.base_url)
        return Answer(201, body, source, accepted.change, location, confirm=True)

    async def _with_members(self, asked: Asked, write: Write, resource: Resource) -> Resource:
        """The resource as the answer shows it; a roster is read only if it is shown."""
        most = _most_members(asked, write)
        if resource.members is not None:
            return resource if len(resource.members) <= most else without_members(resource)
        if most < _NO_LIMIT:
            return resource
        whole = await self._directory.get(write.kind, resource.public_id, members=True)
        return whole or resource


def parsed_write(asked: Asked) -> Write:
    """The request in normal form.

    Raises:
        Refused: 400, with what is wrong with it.
    """
    match asked.method:
        case "POST":
            return dialect.parse_create(asked.kind, asked.body)
        case "PUT":
            return dialect.parse_replace(asked.kind, asked.body)
        case "PATCH":
            return dialect.parse_patch(asked.kind, asked.body)
        case _:
            return Write(Verb.DELETE, asked.kind)


def _strict(asked: Asked) -> bool:
    return asked.connection.answer is AnswerMode.STRICT


def _wants_members(asked: Asked, write: Write) -> bool:
    return write.kind is Kind.GROUP and asked.query.wants_members(Kind.GROUP)


def _most_members(asked: Asked, write: Write) -> int:
    """The longest roster that the answer shows."""
    if not _wants_members(asked, write):
        return 0
    if write.verb is Verb.PATCH and not asked.query.names_members:
        return PATCH_MEMBERS
    return _NO_LIMIT


def _refused_by_target(settlement: Settlement, accepted: Accepted) -> Answer:
    return refused(
        settlement.status or 502,
        settlement.detail or "TFE refused this",
        settlement.scim_type,
        source=Source.TARGET,
        change=accepted.change,
    )
