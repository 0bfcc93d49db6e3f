"""One more member: what it costs in a group of 10, and in one of almost 1,000."""

from __future__ import annotations

import time

import pytest
from bench_tools import load, percentile, serving
from support.idp import Idp, add
from support.processes import Process
from support.relays import until, write_config

from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.server import simulator

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

USERS, GROUPS, ADDED = 1_000, 25, 24
SMALL, LARGE = 10, USERS - ADDED


async def members_added(idp, groups, newcomers):
    """The milliseconds of each one-member PATCH, one after another."""
    times = []
    for newcomer in newcomers:
        for group in groups:
            began = time.perf_counter()
            reply = await idp.patch(f"/Groups/{group}", add(newcomer))
            times.append((time.perf_counter() - began) * 1000)
            assert reply.status in (200, 204), reply
    return times


async def test_one_more_member_in_a_small_and_in_a_large_group(tmp_path):
    figures = {}
    async with simulator(SimulatorSettings(limit=RateLimit(rate=0))) as sim:
        # Nobody waits for TFE here: a group's lane rests first, and that would be measured.
        config = write_config(sim, tmp_path, target={"rate": 100}, answer={"wait": "0s"})
        relay = await serving(config)
        process = Process(relay.process.pid)
        await load(relay.port, "create", count=USERS)
        await until(lambda: len(sim.directory.users) == USERS, 60)
        async with Idp(relay.base) as idp:
            page, ids = 200, []
            for start in range(1, USERS, page):
                found = await idp.get(f"/Users?startIndex={start}&count={page}")
                ids += [one["id"] for one in found.body["Resources"]]
            for size in (SMALL, LARGE):
                names = [f"Group {number} of {size}" for number in range(GROUPS)]
                groups = [await idp.create_group(name, *ids[:size]) for name in names]
                await until(lambda: len(sim.directory.groups) % GROUPS == 0, 60)
                cpu_s = process.cpu_s
                times = await members_added(idp, groups, ids[LARGE:])
                await until(lambda: all_there(sim, size + ADDED), 60)  # noqa: B023 - awaited here
                used = (process.cpu_s - cpu_s) / len(times) * 1000
                figures[size] = (round(used, 2), round(percentile(times, 0.5), 2))
        assert await relay.stop() == 0
    for size, (cpu_ms, p50_ms) in figures.items():
        print(
            f"\none more member in a group of {size}: {cpu_ms} ms of CPU, p50 {p50_ms} ms", end=""
        )
    print()
    assert figures[LARGE][0] <= 1.5 * figures[SMALL][0]


def all_there(sim, size):
    """Whether as many groups as were made last have their whole roster at TFE."""
    full = [one for one in sim.directory.groups if len(one.fields.members) == size]
    return len(full) == GROUPS
