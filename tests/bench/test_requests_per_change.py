"""Requests per change: what each recorded sender sends, and what of it TFE is sent."""

from __future__ import annotations

import aiohttp
import pytest
from support.recorded import FILES, Sender, lines_of
from support.relays import relay_for

from relay.simulator import RateLimit, SimulatorSettings, simulator

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

QUICK = SimulatorSettings(limit=RateLimit(rate=200))
SECTIONS = {
    "target": {"rate": 100},
    "answer": {"wait": "0s"},
    "users": {"missing_address": "{userName}@users.noreply.example.com"},
}


def held(sim):
    """All that TFE holds."""
    users, groups = sim.directory.users, sim.directory.groups
    return {one.stamp.id: one.fields for one in [*users, *groups]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_requests_of_a_recorded_sender(path, tmp_path):
    """Each line is settled before the next is sent, so nothing can be folded.

    The floor is the number of lines after which TFE holds something else than before, by the
    stand-in's own state: no relay can bring that about in fewer requests.
    """
    lines, floor = lines_of(path), 0
    async with (
        simulator(QUICK) as sim,
        relay_for(sim, tmp_path, **SECTIONS) as relay,
        aiohttp.ClientSession() as session,
    ):
        sender = Sender(relay, sim, session, f"http://127.0.0.1:{relay.parts.port}/scim/v2")
        sim.log.clear()
        for line in lines:
            before = held(sim)
            await sender.send(line)
            await sender.settle()
            floor += held(sim) != before
        requests = len(list(sim.log.entries()))
    writes = sum(line["method"] != "GET" for line in lines)
    print(
        f"\n| {path.stem} | {len(lines)} | {writes} | {2 * writes} to {4 * writes}"
        f" | {requests} | {floor} |"
    )
    assert requests == floor
