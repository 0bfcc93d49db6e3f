"""A real Prometheus: its own checks of rules and scrape, and alerts that fire and clear."""

import json
from pathlib import Path

import aiohttp
import pytest
from programs import run
from support.idp import Idp, remove
from support.relays import relay_for, typed, until
from watching import CONFIG, answered, told, watched

from relay.simulator import RateLimit, SimulatorSettings, simulator
from relay.simulator.faults import Fault, FaultKind, Match

pytestmark = [pytest.mark.compliance, pytest.mark.timeout(300)]


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
"""Panels about what this run does not bring about; their queries must still be in order.

`test_alerts_of_a_run.py` brings it about.
"""

RIGHT = {
    "Answering": 1.0,
    "Holds": 1.0,  # the guard's
    "Owed revocations": 2.0,
    "Parked": 1.0,
    "Parked now": 1.0,
    "Held by the guard": 2.0,
    "Waiting": 2.0,
    "Faults of ours": 0.0,
    "Large groups": 0.0,
    "Directory read": 1.0,
}
"""What the first query of some panels must say at the end of that run."""


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
        values = {
            panel["title"]: sum(
                float(one["value"][1])
                for one in await answered(
                    session, address, panel["targets"][0]["expr"], "scim-relay", instance
                )
            )
            for panel in PANELS
        }
        assert {title: values[title] for title in RIGHT} == RIGHT
