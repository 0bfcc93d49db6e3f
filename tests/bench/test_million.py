"""A million pending changes: memory, start, delivery, status, and a revocation behind them all."""

from __future__ import annotations

import asyncio
import time

import pytest
from bench_tools import seed, serving
from support.idp import Idp, deactivate
from support.processes import Process
from support.relays import RelayProcess, typed, until, write_config

from relay.simulator.behaviour import Latency, SimulatorSettings
from relay.simulator.server import simulator

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1500)]

PENDING = 1_000_000
WATCHED_S = 30.0
SECTIONS = {"store": {"max_pending": 2 * PENDING}}


async def filled(sim, folder, pending):
    """A database whose import is done, that holds one delivered user and `pending` creations."""
    config = write_config(sim, folder, **SECTIONS)
    relay = await serving(config)
    async with Idp(relay.base) as idp:
        ada = await idp.create_user("ada@example.com")
    await until(lambda: len(sim.directory.users) == 1)
    assert await relay.stop() == 0
    began = time.monotonic()
    await seed(folder / "relay.db", pending)
    return ada, round(time.monotonic() - began, 1)


async def delivery_of(sim, process):
    """Requests a second and CPU milliseconds a request, over a while in which lanes are ready."""
    requests, cpu_s, began = len(sim.directory.users), process.cpu_s, time.monotonic()
    await asyncio.sleep(WATCHED_S)
    sent = len(sim.directory.users) - requests
    took = time.monotonic() - began
    return round(sent / took, 2), round((process.cpu_s - cpu_s) / sent * 1000, 1)


async def started(sim, folder, figures):
    """Start a relay on the file; seconds until it accepted a change and until TFE got one."""
    relay = RelayProcess(folder / "relay.toml")
    known, began = len(sim.directory.users), time.monotonic()
    await relay.start()
    async with Idp(relay.base) as idp:
        await idp.create_user(f"first-of-{folder.name}@example.com")
        figures["accepted_after_s"] = round(time.monotonic() - began, 2)
    await until(lambda: len(sim.directory.users) > known)
    figures["delivered_after_s"] = round(time.monotonic() - began, 2)
    return relay


async def measured(sim, folder, pending):
    figures = {"pending": pending}
    ada, figures["seeded_in_s"] = await filled(sim, folder, pending)
    figures["database_mb"] = (folder / "relay.db").stat().st_size // 1_000_000
    relay = await started(sim, folder, figures)
    process = Process(relay.process.pid)
    figures["per_second"], figures["cpu_ms_each"] = await delivery_of(sim, process)
    async with Idp(relay.base) as idp:
        began = time.monotonic()
        await idp.patch(f"/Users/{ada}", deactivate())
        await until(lambda: not sim.directory.users.named("ada@example.com")[0].fields.active)
        figures["revoked_after_s"] = round(time.monotonic() - began, 2)
        began = time.monotonic()
        assert (await idp.find("Users", 'userName eq "seed7@example.com"')).body[
            "totalResults"
        ] == 1
        figures["lookup_ms"] = round((time.monotonic() - began) * 1000, 1)
    began = time.monotonic()
    code, said = await typed(folder, "status")
    assert code == 0, said
    figures["status_s"] = round(time.monotonic() - began, 2)
    figures["resident_mb"], figures["peak_mb"] = process.resident_mb, process.peak_mb
    began = time.monotonic()
    assert await relay.stop() == 0
    figures["stopped_in_s"] = round(time.monotonic() - began, 2)
    return figures


async def test_a_million_pending_changes_cost_what_a_few_do(tmp_path):
    figures = []
    for pending in (1_000, PENDING):
        folder = tmp_path / f"pending-{pending}"
        folder.mkdir()
        async with simulator(SimulatorSettings(latency=Latency(20, 50))) as sim:
            figures.append(await measured(sim, folder, pending))
            print("\n", figures[-1])
    few, million = figures

    assert million["resident_mb"] <= 250
    assert million["accepted_after_s"] <= 5
    assert million["delivered_after_s"] <= 5
    assert million["revoked_after_s"] <= 3
    assert million["per_second"] >= 0.97 * few["per_second"]
