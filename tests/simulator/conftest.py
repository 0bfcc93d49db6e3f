"""A stand-in with a clock that the test turns, and a client in memory for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import orjson
import pytest

from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.log import Arrival
from relay.simulator.service import Reply, Service
from relay.simulator.tfe import Tfe

# pytest-asyncio asks for the main thread's loop before the first test; where none was ever set,
# Python 3.11 makes one that nobody closes, and its ResourceWarning fails whichever test is next.
asyncio.set_event_loop(None)


class TurnedClock:
    """Both clocks stand still until `turn`."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def wall(self) -> float:
        return 1_700_000_000.0 + self.now

    def monotonic(self) -> float:
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True)
class Answer:
    """A reply with its JSON read."""

    status: int
    json: dict
    reply: Reply

    @property
    def error(self) -> tuple[int, str | None]:
        return self.status, self.json.get("scimType")


class Caller:
    """Calls the service as a client with the newest token would."""

    def __init__(self, tfe: Tfe) -> None:
        self.tfe = tfe
        self.service = Service(tfe)

    async def __call__(
        self, method, path, body=None, *, token=None, content_type="application/scim+json", **query
    ) -> Answer:
        raw = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        arrival = Arrival(
            method=method,
            path=path,
            query={name: str(value) for name, value in query.items()},
            body=raw,
            authorization=f"Bearer {token or self.tfe.token}",
            content_type=content_type,
        )
        reply = await self.service.exchange(arrival)
        is_json = "json" in reply.headers.get("Content-Type", "")
        return Answer(reply.status, orjson.loads(reply.body) if is_json else {}, reply)

    async def user(self, name="ada", **more) -> str:
        body = {"userName": name, "emails": [{"value": f"{name}@example.com"}], **more}
        answer = await self("POST", "/Users", body)
        assert answer.status == 201, answer
        return answer.json["id"]

    async def group(self, name="crew", members=(), **more) -> str:
        body = {"displayName": name, "members": [{"value": ident} for ident in members], **more}
        answer = await self("POST", "/Groups", body)
        assert answer.status == 201, answer
        return answer.json["id"]

    async def patch(self, path, *operations) -> Answer:
        return await self("PATCH", path, {"Operations": list(operations)})

    async def members(self, group) -> list[str]:
        answer = await self("GET", f"/Groups/{group}")
        return [member["value"] for member in answer.json["members"]]


@pytest.fixture
def clock():
    return TurnedClock()


@pytest.fixture
def tfe(clock):
    """Unlimited, so that tests of rules need not think of the rate."""
    return Tfe(SimulatorSettings(limit=RateLimit(rate=0)), clock=clock)


@pytest.fixture
def call(tfe):
    return Caller(tfe)
