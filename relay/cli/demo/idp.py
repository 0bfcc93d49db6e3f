"""The scripted identity provider: connections that send the steps of a play and take the answers.

It behaves as Entra does within one cycle: it looks up before it creates, keeps the id it was given
for good, waits up to 60 s for an answer, sends faster than TFE takes, and leaves a refused step for
a later cycle, which is not played. It knows nothing of what stands behind its base URL.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote

import aiohttp
import orjson

from relay.cli.demo import forms
from relay.cli.demo.script import (
    Arrive,
    Found,
    Join,
    Leave,
    Offboard,
    Readdress,
    Rename,
    Retitle,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from relay.cli.demo.script import Stage, Step
    from relay.rules.types import Json, JsonObject

ANSWER_LIMIT_S: Final = 60.0
"""Entra's limit for an answer."""

PACE: Final = 2.5
"""How much faster than TFE takes them it sends requests: 25 a second, which Microsoft asks of a
gallery application for each tenant, against TFE's 10."""

OK: Final = range(200, 300)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `status` 0 for nothing, after `seconds`."""

    status: int
    seconds: float


class Idp:
    """An Entra-shaped client that sends at most `pace` requests a second.

    Attributes:
        answers: to every request it sent, in order of their answers.
        left_out: steps it could not send, since the id of a resource was never given to it.
    """

    def __init__(self, base_url: str, token: str, connections: int, pace: float) -> None:
        self._gap_s = 1.0 / pace
        self._next = 0.0
        self.answers: list[Answer] = []
        self.left_out = 0
        self._base_url = base_url
        self._token = token
        self._connections = connections
        self._ids: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=aiohttp.ClientTimeout(total=ANSWER_LIMIT_S),
            connector=aiohttp.TCPConnector(limit=self._connections),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    @property
    def refused(self) -> int:
        """Requests that were not answered with success."""
        return sum(answer.status not in OK for answer in self.answers)

    async def works(self) -> bool:
        """The connection test an administrator makes; not counted."""
        status, _ = await self._exchange("GET", "/Users?count=0", None)
        return status in OK

    async def play(self, stage: Stage, starts: Sequence[float] | None = None) -> list[float]:
        """Send the steps of a stage over all connections; returns when each one started.

        Args:
            stage: the steps.
            starts: seconds after the beginning before which a step may not start, as another run
                returned them; None starts each as soon as a connection is free.
        """
        now = asyncio.get_running_loop().time
        began = now()
        waiting = deque(enumerate(stage))
        started = [0.0] * len(stage)

        async def connection() -> None:
            while waiting:
                index, step = waiting.popleft()
                if starts is not None:
                    await asyncio.sleep(max(0.0, began + starts[index] - now()))
                started[index] = now() - began
                await self._take(step)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._connections):
                tasks.create_task(connection())
        return started

    async def _take(self, step: Step) -> None:
        match step:
            case Arrive(person):
                body = forms.new_user(person)
                await self._match(f'/Users?filter=userName eq "{person.user_name}"', body)
            case Found(team):
                body = forms.new_group(team)
                query = f'excludedAttributes=members&filter=displayName eq "{team.name}"'
                await self._match(f"/Groups?{query}", body)
            case Rename(person, user_name):
                await self._patch("Users", person, forms.rename("userName", user_name))
            case Readdress(person, email):
                await self._patch("Users", person, forms.readdress(email))
            case Offboard(person):
                await self._patch("Users", person, forms.deactivate())
            case Retitle(team, name):
                await self._patch("Groups", team, forms.rename("displayName", name))
            case Join(team, people):
                await self._patch("Groups", team, forms.add_members(self._known(people)))
            case Leave(team, people):
                await self._patch("Groups", team, forms.remove_members(self._known(people)))

    def _known(self, people: tuple[str, ...]) -> list[str]:
        return [self._ids[person] for person in people if person in self._ids]

    async def _match(self, lookup: str, body: JsonObject) -> None:
        """Look up, and create what is not there; a refused look-up ends the step."""
        status, found = await self._send("GET", lookup)
        resources = found.get("Resources")
        if status not in OK or not isinstance(resources, list):
            return
        if not resources:
            status, created = await self._send("POST", lookup.partition("?")[0], body)
            resources = [created] if status in OK else []
        match resources:
            case [{"id": str(ident)}, *_]:
                self._ids[str(body["externalId"])] = ident

    async def _patch(self, kind: str, key: str, body: JsonObject) -> None:
        if key not in self._ids or _empty(body):
            self.left_out += 1
            return
        await self._send("PATCH", f"/{kind}/{self._ids[key]}", body)

    async def _send(
        self, method: str, path: str, body: JsonObject | None = None
    ) -> tuple[int, JsonObject]:
        now = asyncio.get_running_loop().time
        await self._turn(now())
        began = now()
        status, answer = await self._exchange(method, path, body)
        self.answers.append(Answer(status, now() - began))
        return status, answer

    async def _turn(self, now: float) -> None:
        """Wait until the pace lets one more request go."""
        turn = max(now, self._next)
        self._next = turn + self._gap_s
        await asyncio.sleep(turn - now)

    async def _exchange(
        self, method: str, path: str, body: JsonObject | None
    ) -> tuple[int, JsonObject]:
        """Status and body of the answer; status 0 if there is none."""
        data = None if body is None else orjson.dumps(body)
        headers = {} if data is None else {"Content-Type": "application/scim+json; charset=utf-8"}
        url = self._base_url + quote(path, safe="/?&=")
        try:
            async with self._session.request(method, url, data=data, headers=headers) as answer:
                text = await answer.read()
                return answer.status, _object(text)
        except (aiohttp.ClientError, OSError, TimeoutError):
            return 0, {}


def _empty(body: JsonObject) -> bool:
    """A membership change without anybody in it: Entra does not send it."""
    match body:
        case {"Operations": [{"value": []}]}:
            return True
    return False


def _object(text: bytes) -> JsonObject:
    try:
        answer: Json = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}
