"""Each trouble, brought about at a running relay, fires its alert in a real Prometheus."""

import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from support.idp import TOKEN, Idp, deactivate, user
from support.relays import RelayProcess, relay_for, typed, until, write_config
from watching import CONFIG, answered, told, watched

from relay.cli.token import hash_of
from relay.simulator import RateLimit, SimulatorSettings, simulator
from relay.simulator.admin import orders
from relay.simulator.faults import Fault, FaultKind, Match
from relay.simulator.seed import sow

pytestmark = [pytest.mark.compliance, pytest.mark.timeout(400)]
DAY_S = 86_400
QUICK = {"target": {"rate": 100}, "answer": {"wait": "0s"}, "metrics": {"address": "127.0.0.1:0"}}
PANELS = {
    panel["title"]: panel["targets"][0]["expr"]
    for panel in json.loads((CONFIG.parent / "grafana" / "scim-relay.json").read_text())["panels"]
    if panel["type"] != "row"
}


class Run:
    """A relay that sees TFE's own side, with a Prometheus that watches it."""

    def __init__(self, tfe, relay, alerts, session, folder):
        self.tfe, self.relay, self.alerts = tfe, relay, alerts
        self._session, self._folder = session, folder
        self._count = 0

    async def type(self, *words):
        code, shown = await typed(self._folder, *words)
        assert code == 0, shown

    async def somebody(self):
        self._count += 1
        return await self.relay.idp.create_user(f"user{self._count}@x.org")

    async def look(self):
        await self.relay.parts.site.look(everything=True)

    def give_token(self, token):
        (self._folder / "tfe-token").write_text(token)

    async def shown(self, title):
        """The values of a panel's first query, by whatever tells its series apart."""
        instance = f"127.0.0.1:{self.relay.parts.metrics_port}"
        found = await answered(
            self._session, self.alerts.address, PANELS[title], "scim-relay", instance
        )
        values = {}
        for one in found:
            own = {"__name__", "job", "instance"}
            values[tuple(v for k, v in one["metric"].items() if k not in own)] = float(
                one["value"][1]
            )
        return values

    async def shows(self, title, wanted):
        """Wait until a panel shows just that; `wanted` is a number or a test of all its values."""
        check = wanted if callable(wanted) else lambda values: set(values.values()) == {wanted}

        async def so():
            return check(await self.shown(title))

        try:
            await until(so, 30)
        except TimeoutError as error:
            raise AssertionError((title, await self.shown(title))) from error

    async def cleared(self, *lasting):
        """Wait until nothing fires but what lasts."""

        async def so():
            return await self.alerts() == set(lasting)

        try:
            await until(so, 60)
        except TimeoutError as error:
            raise AssertionError(await self.alerts()) from error


@pytest.fixture
async def run(programs, tmp_path):
    async with (
        simulator(SimulatorSettings(limit=RateLimit(rate=0))) as tfe,
        at_work(tfe, programs, tmp_path) as found,
    ):
        yield found


@asynccontextmanager
async def at_work(tfe, programs, folder):
    path = folder / "admin-token"
    path.write_text(tfe.site.people.issue())
    keys = {
        **QUICK,
        "admin_api": {"url": tfe.admin_url, "token_file": str(path)},
        "guard": {"protected_users": ["site-admin@tfe.example.com"]},
        "reconcile": {"on_drift": "report"},
    }
    async with (
        relay_for(tfe, folder, **keys) as relay,
        watched(programs, folder, relay.parts.metrics_port) as alerts,
        aiohttp.ClientSession() as session,
    ):
        await until(lambda: relay.parts.site.seen.people)
        found = Run(tfe, relay, alerts, session, folder)
        await told(alerts)
        await found.shows("Answering", 1.0)
        yield found


async def test_while_all_is_well_nothing_fires_and_the_panels_say_so(run):
    await run.somebody()
    await run.relay.settled()
    for title in ("Holds", "Owed revocations", "Parked", "Behind", "Faults of ours"):
        await run.shows(title, 0.0)
    await run.shows("Its own side", lambda values: not any(values.values()))
    await run.shows("Free space", lambda values: min(values.values()) > 0)
    await run.shows("Directory read", 1.0)
    await run.cleared()


async def test_troubles_of_the_target_fire_and_clear(run):
    run.tfe.rotate_token()
    await run.somebody()
    await told(run.alerts, "ScimRelayTokenRefused")
    await run.shows("Holds", lambda values: values.get(("token",)) == 1.0)
    run.give_token(run.tfe.token)
    await run.cleared()

    run.tfe.faults.add(Fault(kind=FaultKind.STATUS, status=503), Match(count=None))
    await run.somebody()
    await told(run.alerts, "ScimRelayTargetDown", quiet=["ScimRelayTokenRefused"])
    run.tfe.faults.clear()
    await run.cleared()

    await run.type("pause", "--reason", "lunch")
    await told(run.alerts, "ScimRelayPausedByOperator")
    await run.type("resume", "--reason", "coffee")
    await run.cleared()

    known = [await run.somebody() for _ in range(4)]
    await run.relay.settled()
    run.tfe.wipe()
    for one in known:
        await run.relay.idp.patch(f"/Users/{one}", deactivate())
    await told(run.alerts, "ScimRelayTargetReplaced")
    await run.shows("Holds", lambda values: values.get(("foreign",)) == 1.0)


async def test_what_a_site_administrator_would_see_fires_and_clears(run):
    other = run.tfe.access.issue("other-token")
    run.tfe.access.expire(other, 10 * DAY_S)
    await run.look()
    await told(run.alerts, "ScimRelayTokenEnds", quiet=["ScimRelayTokenEndsNow"])
    run.tfe.access.expire(other, 2 * DAY_S)
    await run.look()
    await told(run.alerts, "ScimRelayTokenEndsNow")
    run.tfe.access.revoke(other)
    await run.look()
    await run.cleared()

    await run.relay.idp.create_group("Site Admins")
    await run.relay.settled()
    orders.site_admin_group(run.tfe, {"group": "Site Admins"})
    await run.look()
    await told(run.alerts, "ScimRelaySiteTrouble")
    await run.shows("Its own side", lambda values: values.get(("site_admin_group",)) == 1.0)
    orders.site_admin_group(run.tfe, {"group": None})
    await run.look()
    await run.cleared()


async def test_what_is_counted_fires(run):
    waits = Fault(kind=FaultKind.STATUS, status=429, retry_after="1")
    run.tfe.faults.add(waits, Match(method="POST", count=3))
    await run.somebody()
    await told(run.alerts, "ScimRelayThrottled")
    await run.shows("Told to wait", lambda values: min(values.values()) > 1)
    await run.relay.settled()

    run.tfe.faults.add(Fault(kind=FaultKind.RESET_AFTER), Match(method="POST", path="^/Users$"))
    ada = await run.somebody()
    await run.relay.settled()
    await run.shows("In doubt", lambda values: sum(values.values()) > 0)

    async with Idp(run.tfe.url, run.tfe.token) as meddler:
        there = await run.relay.target_id(ada)
        assert (await meddler.patch(f"/Users/{there}", deactivate())).status == 200
    await run.type("reconcile")
    await told(run.alerts, "ScimRelayDrift")
    await run.shows("Changed behind our back", lambda values: values.get(("changed",), 0) > 0)

    await run.type("drain", "--reason", "farewell")

    async def refused_until_it_fires():
        assert (await run.relay.idp.post("/Users", user("late@x.org"))).status == 503
        return "ScimRelayUnavailable" in await run.alerts()

    await until(refused_until_it_fires, 60)
    await run.cleared("ScimRelayThrottled", "ScimRelayDrift", "ScimRelayUnavailable")


async def test_a_token_of_an_identity_provider_that_ends_soon_fires(programs, tmp_path):
    ends = (datetime.now(UTC) + timedelta(days=10)).date().isoformat()
    connection = {"token_hash": f"{hash_of(TOKEN)} expires={ends}"}
    async with (
        simulator(SimulatorSettings(limit=RateLimit(rate=0))) as tfe,
        relay_for(tfe, tmp_path, connection=connection, **QUICK) as relay,
        watched(programs, tmp_path, relay.parts.metrics_port) as alerts,
    ):
        await told(alerts, "ScimRelayInboundTokenEnds")


async def test_a_slow_first_reading_a_group_that_is_nearly_full_and_a_dead_relay_fire(
    programs, tmp_path, unused_tcp_port_factory
):
    names = [f"user{number}@x.org" for number in range(950)]
    async with simulator(SimulatorSettings(limit=RateLimit(rate=0))) as tfe:
        made = sow(tfe.directory, {"users": [{"userName": name, "email": name} for name in names]})[
            "users"
        ]
        sow(tfe.directory, {"groups": [{"displayName": "All", "members": made}]})
        port = unused_tcp_port_factory()
        keys = {**QUICK, "target": {"rate": 1}, "metrics": {"address": f"127.0.0.1:{port}"}}
        relay = RelayProcess(write_config(tfe, tmp_path, **keys))
        tfe.faults.add(Fault(kind=FaultKind.SLOW_BEFORE, delay_s=4), Match(path="^/Users", count=4))
        async with watched(programs, tmp_path, port) as alerts:
            await relay.start()
            await told(alerts, "ScimRelayImportStuck")
            await told(alerts, "ScimRelayGroupNearlyFull", quiet=["ScimRelayImportStuck"])
            await relay.stop()
            await told(alerts, "ScimRelayDown")
