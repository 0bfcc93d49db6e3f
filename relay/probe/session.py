"""One conversation with the target: paced, throttled when told, and everything made is remembered.

What is made has a name that begins with `PREFIX`, so that even what an interrupted probe could not
remember is found again by `cleaning`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from relay.errors import MaybeSent, RelayError
from relay.rules import retry_after
from relay.rules.contract import GROUP_SCHEMA, PATCH_SCHEMA, USER_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from relay.pace.pacer import Pacer
    from relay.rules.types import Json, JsonObject
    from relay.rules.verdict import Answered
    from relay.target.client import TargetClient

PREFIX: Final = "zz-relay-"
"""How every throw-away name begins: last in any list, and nobody's."""

PATIENCE: Final = 5
"""How often one request is sent that TFE throttles."""

_LONGEST_WAIT_S: Final = 60.0


class UnexpectedAnswerError(RelayError):
    """A step that only prepares a trial was answered otherwise than it must be."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as the client sends it."""

    method: str
    path: str
    body: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """TFE's answer.

    Attributes:
        status: of HTTP.
        body: the object in it; empty if it had none.
        wait_s: how long it asks to wait, in seconds; None if it does not say.
    """

    status: int
    body: JsonObject
    wait_s: float | None

    @property
    def taken(self) -> bool:
        """Whether TFE did it: 200, 201 or 204."""
        return self.status in (HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT)

    def __str__(self) -> str:
        """The status, and what TFE says of it."""
        detail = self.body.get("detail")
        return f"{self.status} {str(detail)[:120]}" if detail else str(self.status)


class Session:
    """What a trial has in hand.

    Args:
        client: open.
        pacer: grants each request its slot.
        run: tells this run's names from another's.
    """

    def __init__(self, client: TargetClient, pacer: Pacer, run: str) -> None:
        self._client = client
        self._pacer = pacer
        self._run = run
        self.made: dict[str, None] = {}
        self.requests = 0
        self.throttled = 0

    def name(self, label: str) -> str:
        """The throw-away name for a label."""
        return f"{PREFIX}{self._run}-{label}"

    def new_user(self, label: str, **fields: Json) -> JsonObject:
        """The body that creates a user."""
        name = self.name(label)
        emails: Json = [{"value": f"{name}@example.com", "type": "work", "primary": True}]
        return {"schemas": [USER_SCHEMA], "userName": name, "emails": emails, **fields}

    def new_group(self, label: str, members: Sequence[str] = (), **fields: Json) -> JsonObject:
        """The body that creates a group."""
        roster: Json = [{"value": one} for one in members]
        named: JsonObject = {"schemas": [GROUP_SCHEMA], "displayName": self.name(label)}
        return {**named, "members": roster, **fields}

    async def user(self, label: str, **fields: Json) -> JsonObject:
        """Make a user that a trial needs.

        Raises:
            UnexpectedAnswerError: it was not created.
        """
        return _made(await self.post("/Users", self.new_user(label, **fields)))

    async def group(self, label: str, *members: str) -> JsonObject:
        """Make a group that a trial needs.

        Raises:
            UnexpectedAnswerError: it was not created.
        """
        return _made(await self.post("/Groups", self.new_group(label, members)))

    async def get(self, path: str, **query: str) -> Reply:
        """Read."""
        return await self._ask(Asked("GET", path), query)

    async def post(self, path: str, body: JsonObject) -> Reply:
        """Create; what was created is remembered."""
        reply = await self._ask(Asked("POST", path, body))
        if reply.status == HTTPStatus.CREATED and "id" in reply.body:
            self.made[f"{path}/{reply.body['id']}"] = None
        return reply

    async def put(self, path: str, body: JsonObject) -> Reply:
        """Replace."""
        return await self._ask(Asked("PUT", path, body))

    async def patch(self, path: str, *operations: JsonObject) -> Reply:
        """Change."""
        body: JsonObject = {"schemas": [PATCH_SCHEMA], "Operations": list(operations)}
        return await self._ask(Asked("PATCH", path, body))

    async def delete(self, path: str) -> Reply:
        """End; what is gone is forgotten."""
        reply = await self._ask(Asked("DELETE", path))
        if reply.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND):
            self.made.pop(path, None)
        return reply

    async def members(self, group: str) -> set[str]:
        """The ids in a group now."""
        reply = await self.get(f"/Groups/{group}")
        found = reply.body.get("members")
        listed = found if isinstance(found, list) else []
        return {str(one["value"]) for one in listed if isinstance(one, dict)}

    async def burst(self, count: int) -> list[Reply]:
        """So many reads at once, unpaced, after a second of silence."""
        await asyncio.sleep(1.1)
        asked = Asked("GET", "/Users")
        sent = (self._send(asked, {"count": "0"}, _nothing) for _ in range(count))
        replies = await asyncio.gather(*sent)
        await asyncio.sleep(1.1)
        return replies

    async def _ask(self, asked: Asked, query: dict[str, str] | None = None) -> Reply:
        """Send in its slot; what TFE throttles is sent again when it says."""
        for _ in range(PATIENCE):
            slot = await self._pacer.reserve()
            try:
                reply = await self._send(asked, query, slot.left)
            finally:
                slot.unused()
            if reply.status != HTTPStatus.TOO_MANY_REQUESTS:
                break
            self.throttled += 1
            await asyncio.sleep(min(reply.wait_s or 1.0, _LONGEST_WAIT_S))
        return reply

    async def _send(
        self, asked: Asked, query: dict[str, str] | None, departing: Callable[[], None]
    ) -> Reply:
        self.requests += 1
        try:
            answered = await self._client.send(
                asked, f"{PREFIX}{self._run}-{self.requests}", departing, query=query
            )
        except MaybeSent:
            if asked.method == "POST":
                # It may be there: the sweep over the lists finds it.
                self.made[f"{asked.path}/?"] = None
            raise
        return _reply(answered)


def _nothing() -> None:
    """Who sends unpaced tells no slot."""


def _made(reply: Reply) -> JsonObject:
    if reply.status != HTTPStatus.CREATED:
        raise UnexpectedAnswerError(f"a creation was answered {reply}")
    return reply.body


def _reply(answered: Answered) -> Reply:
    body = answered.body if isinstance(answered.body, dict) else {}
    now = retry_after.date_s(answered.headers.get("date")) or answered.received_at
    wait_s = retry_after.parse(answered.headers.get("retry-after"), now)
    return Reply(answered.status, body, wait_s)
