"""Measurements; `make bench` prints them, `docs/benchmarks.md` keeps them with machine and date."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import pytest
from support.idp import TOKEN, Idp, add, deactivate
from support.relays import RelayProcess, relay_for, until, write_config

from relay.simulator.behaviour import Latency, RateLimit, SimulatorSettings
from relay.simulator.seed import sow
from relay.simulator.server import simulator

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]
LOAD = Path(__file__).with_name("load.py")


def resident_kb(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


async def load(port, kind, **options):
    words = [f"--{name}={value}" for name, value in options.items()]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(LOAD),
        kind,
        f"--port={port}",
        f"--token={TOKEN}",
        *words,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return json.loads(output)


async def test_durable_creates_and_lookups_a_second(tmp_path):
    async with simulator() as sim:
        relay = RelayProcess(write_config(sim, tmp_path))
        await relay.start()
        async with Idp(relay.base) as idp:

            async def imported():
                return (await idp.get("/Users?count=0")).status == 200

            await until(imported)
        sim.pause()
        creates = await load(relay.port, "create", count=10_000)
        lookups = await load(relay.port, "lookup", count=10_000, population=10_000)
        resident = resident_kb(relay.process.pid)
        await relay.stop()
    print("\ncreates", creates, "\nlookups", lookups, f"\nresident {resident} kB")
    assert creates["statuses"] == {"201": 10_000}
    assert lookups["statuses"] == {"200": 10_000}


async def test_a_first_cycle_at_the_true_rate(tmp_path):
    users, groups, size, batch = 1_000, 20, 200, 15
    settings = SimulatorSettings(latency=Latency(20, 50))
    async with simulator(settings) as sim, relay_for(sim, tmp_path) as relay:
        sim.log.clear()
        began = time.monotonic()
        room = asyncio.Semaphore(16)

        async def create(number):
            async with room:
                name = f"user{number}@example.com"
                await relay.idp.find("Users", f'userName eq "{name}"')
                return await relay.idp.create_user(name)

        ids = await asyncio.gather(*(create(number) for number in range(users)))
        for number in range(groups):
            mine = [ids[(number * 47 + one) % users] for one in range(size)]
            group = await relay.idp.create_group(f"Group {number}")
            for start in range(0, len(mine), batch):
                await relay.idp.patch(f"/Groups/{group}", add(*mine[start : start + batch]))
        accepted = time.monotonic() - began
        await relay.settled(300)
        took = time.monotonic() - began
        entries = [entry for entry in sim.log.entries() if entry.counted]
        refused = [entry for entry in entries if entry.status == 429]
    print(
        f"\n{users} users, {groups} groups of {size}: accepted in {accepted:.1f} s, delivered in"
        f" {took:.1f} s, {len(entries)} requests ({users + groups} is the floor),"
        f" {len(entries) / took:.2f}/s, at most {sim.log.max_in_window(1.0)} in a second,"
        f" {len(refused)} x 429"
    )
    assert not refused
    assert len(entries) <= 1.02 * (users + groups) + 1


async def test_an_offboarding_behind_ten_thousand_creates(tmp_path):
    async with simulator(SimulatorSettings(latency=Latency(20, 50))) as sim:
        relay = RelayProcess(write_config(sim, tmp_path))
        await relay.start()
        async with Idp(relay.base) as idp:

            async def imported():
                return (await idp.get("/Users?count=0")).status == 200

            await until(imported)
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
        resident = resident_kb(relay.process.pid)
        await relay.stop()
    print(f"\nimported in {took:.1f} s at 100/s;", lookups, f"resident {resident} kB")
    assert lookups["statuses"] == {"200": 10_000}
