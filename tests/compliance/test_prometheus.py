"""A real Prometheus: its own checks of rules and scrape, and alerts that fire and clear."""

import asyncio
import json
import re
import socket
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from environments import debian_programs
from programs import clean_environment, run
from support.idp import Idp, remove
from support.relays import relay_for, typed, until

from relay.simulator import RateLimit, SimulatorSettings, simulator
from relay.simulator.faults import Fault, FaultKind, Match

pytestmark = [pytest.mark.compliance, pytest.mark.timeout(300)]

CONFIG = Path(__file__).parents[2] / "config" / "prometheus"
SLOW = 200
"""A minute of the rules is a fraction of a second here."""


@pytest.fixture(scope="session")
def programs():
    """The folder of `prometheus` and `promtool`, out of Debian's package."""
    return debian_programs("prometheus")


async def test_rules_and_configuration_are_in_order_and_every_case_passes(programs):
    for words in (
        ("check", "rules", "alerts.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "alerts_test.yml"),
    ):
        outcome = await run(programs / "promtool", *words, folder=CONFIG)
        assert outcome.code == 0, outcome.output + outcome.errors


async def test_a_scrape_of_a_running_relay_is_in_order(programs, tmp_path):
    async with (
        simulator(SimulatorSettings(limit=RateLimit(rate=0))) as sim,
        relay_for(sim, tmp_path, target={"rate": 100}, metrics={"address": "127.0.0.1:0"}) as relay,
    ):
        await relay.idp.create_user("ada@example.com")
        await relay.settled()
        scrape = tmp_path / "scrape"
        scrape.write_bytes(await scraped(relay.parts.metrics_port))
    command = f"{programs / 'promtool'} check metrics < {scrape}"
    outcome = await run(Path("/bin/sh"), "-c", command, folder=tmp_path)

    assert (outcome.code, outcome.output + outcome.errors) == (0, "")


async def scraped(port):
    url = f"http://127.0.0.1:{port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return await answer.read()


def hurried(rules):
    """The same rules, with every wait and age divided by `SLOW`."""

    def quicker(found):
        seconds = int(found[1]) * {"m": 60, "h": 3600, "d": 86400}[found[2]]
        return f"{max(seconds * 1000 // SLOW, 1)}ms"

    text = re.sub(r"(?<=for: )(\d+)([mhd])\b", quicker, rules)
    return re.sub(r"(age_seconds) > 900\b", rf"\1 > {900 / SLOW}", text)


@asynccontextmanager
async def watched(programs, folder, port):
    """A Prometheus that scrapes the relay twice a second; asks it which alerts fire."""
    (folder / "alerts.yml").write_text(hurried((CONFIG / "alerts.yml").read_text()))
    text = (CONFIG / "prometheus.yml").read_text().replace("15s", "500ms")
    (folder / "prometheus.yml").write_text(
        text.partition("alerting:")[0].replace("127.0.0.1:9464", f"127.0.0.1:{port}")
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = await asyncio.create_subprocess_exec(
        str(programs / "prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=clean_environment(),
    )
    try:
        async with aiohttp.ClientSession() as session:
            yield Alerts(session, f"http://{address}")
    finally:
        process.kill()
        await process.wait()


class Alerts:
    """What a Prometheus says; called, the names of alerts that fire, or None while it starts."""

    def __init__(self, session, address):
        self.address = address
        self._session = session

    async def __call__(self):
        try:
            async with self._session.get(f"{self.address}/api/v1/alerts") as answer:
                alerts = (await answer.json())["data"]["alerts"]
        except (aiohttp.ClientError, ValueError):
            return None
        return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}


def told(alerts, *names, quiet=()):
    """Wait until all of `names` fire and none of `quiet`."""

    async def so():
        now = await alerts()
        return now is not None and set(names) <= now and not now & set(quiet)

    return until(so, 60)


def edit(**values):
    return {"op": "replace", "value": values}


async def test_paused_owed_behind_and_parked_fire_and_clear(programs, tmp_path):
    keys = {
        "target": {"rate": 2},
        "answer": {"wait": "0s"},
        "metrics": {"address": "127.0.0.1:0"},
    }
    async with (
        simulator(SimulatorSettings(limit=RateLimit(rate=0))) as sim,
        relay_for(sim, tmp_path, **keys) as relay,
        watched(programs, tmp_path, relay.parts.metrics_port) as alerts,
    ):
        ada = await relay.idp.create_user("ada@example.com")
        await relay.settled()
        await told(alerts, quiet=["ScimRelayDown", "ScimRelayTargetPaused", "ScimRelayParked"])

        sim.pause()
        await relay.idp.patch(f"/Users/{ada}", edit(active=False))
        waiting = ["ScimRelayTargetPaused", "ScimRelayRevocationsOwed"]
        await told(alerts, *waiting, quiet=["ScimRelayBehind"])
        sim.resume()
        await relay.settled()
        await told(alerts, quiet=waiting)

        bob, *_ = [await relay.idp.create_user(f"user{number}@x.org") for number in range(30)]
        await told(alerts, "ScimRelayBehind")
        await relay.settled(120)
        await told(alerts, quiet=["ScimRelayBehind"])

        refusing = Fault(kind=FaultKind.STATUS, status=422, detail="no such id")
        sim.faults.add(refusing, Match(method="PATCH", path="^/Users/"))
        await relay.idp.patch(f"/Users/{bob}", edit(externalId="b"))
        await told(alerts, "ScimRelayParked")
        await typed(tmp_path, "changes", "drop", "--state", "parked", "--reason", "not wanted")
        await told(alerts, quiet=["ScimRelayParked"])


PANELS = [
    panel
    for panel in json.loads((CONFIG.parent / "grafana" / "scim-relay.json").read_text())["panels"]
    if panel["type"] != "row"
]
NEVER_HERE = {"Its own side", "In doubt", "Told to wait"}
"""Panels about what this run does not bring about; their queries must still be in order."""


async def answered(session, address, expression, job, instance):
    """The result of one query of the dashboard, as Grafana would ask it."""
    text = expression.replace("$__rate_interval", "10s").replace("[1h]", "[1m]")
    query = {"query": text.replace("$job", job).replace("$instance", instance)}
    async with session.get(f"{address}/api/v1/query", params=query) as answer:
        told = await answer.json()
    assert told["status"] == "success", (expression, told)
    return told["data"]["result"]


async def test_every_panel_of_the_dashboard_shows_something_of_a_relay_that_works(
    programs, tmp_path
):
    keys = {"target": {"rate": 20}, "answer": {"wait": "0s"}, "metrics": {"address": "127.0.0.1:0"}}
    guard = {"max_deletions": 1}
    async with (
        simulator(SimulatorSettings(limit=RateLimit(rate=0))) as sim,
        relay_for(sim, tmp_path, guard=guard, **keys) as relay,
        watched(programs, tmp_path, relay.parts.metrics_port) as alerts,
        aiohttp.ClientSession() as session,
    ):
        people = [await relay.idp.create_user(f"user{number}@x.org") for number in range(8)]
        crew = await relay.idp.create_group("Crew", *people)
        await relay.settled()
        sim.pause()
        for one in people[:4]:
            await relay.idp.patch(f"/Groups/{crew}", remove(one))
        await relay.held("paused")
        await told(alerts, "ScimRelayTargetPaused")
        sim.resume()
        await relay.settled()
        refusing = Fault(kind=FaultKind.STATUS, status=422, detail="no such id")
        sim.faults.add(refusing, Match(method="PATCH", path="^/Users/"))
        await relay.idp.patch(f"/Users/{people[7]}", edit(externalId="b"))
        await told(alerts, "ScimRelayParked")
        for one in people[:3]:
            await relay.idp.delete(f"/Users/{one}")
        await told(alerts, "ScimRelayGuardHolds")
        async with Idp(f"http://127.0.0.1:{relay.parts.port}/scim/v2", "no-such-token") as stranger:
            await stranger.get("/Users")
        address, instance = alerts.address, f"127.0.0.1:{relay.parts.metrics_port}"
        for panel in PANELS:
            for target in panel["targets"]:

                async def shown(expression=target["expr"]):
                    return await answered(session, address, expression, "scim-relay", instance)

                if panel["title"] not in NEVER_HERE:
                    await until(shown, 20)
                await shown()
        value = await answered(
            session,
            address,
            'scim_relay_held_effects{job="$job", instance="$instance"}',
            "scim-relay",
            instance,
        )
        assert [float(one["value"][1]) for one in value] == [2.0]
