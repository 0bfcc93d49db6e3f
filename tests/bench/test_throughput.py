"""Measurements; `make bench` prints them, `docs/benchmarks.md` keeps them with machine and date."""

from __future__ import annotations

import time

import pytest
from bench_tools import commit_ms, load, serving
from support.idp import Idp, deactivate
from support.processes import Process
from support.relays import RelayProcess, until, write_config

from relay.simulator.behaviour import Latency, RateLimit, SimulatorSettings
from relay.simulator.seed import sow
from relay.simulator.server import simulator

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]
HALF = 0.5
"""Of what is asked of a quiet machine: a busy one may fall so far and no further."""


async def test_durable_creates_and_lookups_a_second(tmp_path):
    async with simulator() as sim:
        relay = await serving(write_config(sim, tmp_path))
        process = Process(relay.process.pid)
        sim.pause()
        cpu_s = process.cpu_s
        creates = await load(relay.port, "create", count=10_000)
        create_ms = (process.cpu_s - cpu_s) / 10
        lookups = await load(relay.port, "lookup", count=10_000, population=10_000)
        resident = process.resident_mb
        await relay.stop()
    print(f"\ncreates {creates}, {create_ms:.2f} ms of CPU each\nlookups {lookups}")
    print(f"resident {resident} MB; p50 commit {commit_ms(tmp_path)} ms")
    assert creates["statuses"] == {"201": 10_000}
    assert creates["per_second"] >= HALF * 1_500
    assert lookups["statuses"] == {"200": 10_000}


async def test_an_offboarding_behind_ten_thousand_creates(tmp_path):
    async with simulator(SimulatorSettings(latency=Latency(20, 50))) as sim:
        relay = await serving(write_config(sim, tmp_path))
        async with Idp(relay.base) as idp:
            ada = await idp.create_user("ada@example.com")
            await until(lambda: len(sim.directory.users) == 1)
            await load(relay.port, "create", count=10_000)
            began = time.monotonic()
            await idp.patch(f"/Users/{ada}", deactivate())
            await until(lambda: not sim.directory.users.named("ada@example.com")[0].fields.active)
            took = time.monotonic() - began
            delivered = len(sim.directory.users)
        await relay.stop()
    print(f"\noffboarding at TFE after {took:.2f} s, with {10_001 - delivered} creates pending")
    assert delivered < 1_000
    assert took <= 3


async def test_lookups_with_a_hundred_thousand_users(tmp_path):
    people = [
        {"userName": f"load{number}@example.com", "email": f"load{number}@example.com"}
        for number in range(100_000)
    ]
    async with simulator(SimulatorSettings(limit=RateLimit(rate=0))) as sim:
        sow(sim.directory, {"users": people})
        relay = RelayProcess(write_config(sim, tmp_path, target={"rate": 100}))
        await relay.start()
        began = time.monotonic()
        await until(
            lambda: any(line.get("event") == "import.completed" for line in relay.lines), 300
        )
        took = time.monotonic() - began
        lookups = await load(relay.port, "lookup", count=10_000, population=100_000)
        resident = Process(relay.process.pid).resident_mb
        await relay.stop()
    print(f"\nimported in {took:.1f} s at 100/s;", lookups, f"resident {resident} MB")
    assert lookups["statuses"] == {"200": 10_000}
    assert lookups["per_second"] >= HALF * 3_000
