"""A site administrator's client in memory, and the identity provider's beside it."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
import pytest

from relay.simulator.admin.budgets import AdminLimits
from relay.simulator.admin.surface import AdminSurface
from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.log import Arrival
from relay.simulator.service import Reply, Service
from relay.simulator.tfe import Tfe

UNLIMITED = AdminLimits(api=0, settings=0, links=0)


@dataclass(frozen=True)
class Seen:
    """A reply with its JSON read."""

    status: int
    json: dict
    reply: Reply

    @property
    def attributes(self) -> dict:
        return self.json["data"]["attributes"]

    @property
    def refused(self) -> tuple[int, str]:
        return self.status, self.json["errors"][0]["detail"]

    @property
    def headers(self) -> dict[str, str]:
        return self.reply.headers

    @property
    def names(self) -> list[str]:
        return [
            (one["attributes"].get("name") or one["attributes"]["username"])
            for one in self.json["data"]
        ]


class Administrator:
    """Calls the admin API with a token of its own."""

    def __init__(self, tfe: Tfe, token: str) -> None:
        self.service = Service(tfe, AdminSurface(tfe))
        self.token = token

    async def __call__(self, method, path, attributes=None, *, body=None, token=None, **query):
        raw = b""
        if attributes is not None:
            raw = orjson.dumps({"data": {"attributes": attributes}})
        elif body is not None:
            raw = body if isinstance(body, bytes) else orjson.dumps(body)
        arrival = Arrival(
            method=method,
            path=f"/api/v2/{path}",
            query={name: str(value) for name, value in query.items()},
            body=raw,
            authorization=f"Bearer {self.token if token is None else token}",
            content_type="application/vnd.api+json",
        )
        reply = await self.service.exchange(arrival)
        is_json = "json" in reply.headers.get("Content-Type", "")
        return Seen(reply.status, orjson.loads(reply.body) if is_json else {}, reply)

    async def settings(self) -> dict:
        return (await self("GET", "admin/scim-settings")).attributes

    async def team(self, ident) -> dict:
        return (await self("GET", f"teams/{ident}")).attributes

    async def link(self, team, group):
        return await self(
            "POST", f"admin/teams/{team}/scim-group-mapping", {"scim-group-id": group}
        )

    async def pause(self, team, paused=True):
        return await self(
            "PATCH", f"admin/teams/{team}/scim-group-mapping", {"scim-sync-paused": paused}
        )

    async def unlink(self, team):
        return await self("DELETE", f"admin/teams/{team}/scim-group-mapping")


@pytest.fixture
def tfe(clock):
    """Without limits, so that tests of rules need not think of budgets."""
    settings = SimulatorSettings(limit=RateLimit(rate=0), admin_limits=UNLIMITED)
    return Tfe(settings, clock=clock)


@pytest.fixture
def admin(tfe):
    return Administrator(tfe, tfe.site.people.issue())


@pytest.fixture
def new_team(tfe):
    """Makes teams of one organisation; returns their ids."""
    tfe.site.estate.found("acme", "owner@acme.example", None)

    def make(name="crew", *members):
        return tfe.site.estate.form("acme", name, members).id

    return make
