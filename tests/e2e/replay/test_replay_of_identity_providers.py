"""Every recorded request of every identity provider, through the relay, into the stand-in."""

from __future__ import annotations

import aiohttp
import pytest
from support.recorded import FILES, Sender, accepted_statuses, lines_of, refusals
from support.relays import relay_for

from relay.simulator import RateLimit, SimulatorSettings, simulator

QUICK = SimulatorSettings(limit=RateLimit(rate=200))


async def replay(path, sim, relay):
    """Send a file's lines in order; everything that was not as its sender meant it."""
    failures = []
    async with aiohttp.ClientSession() as session:
        sender = Sender(relay, sim, session, f"http://127.0.0.1:{relay.parts.port}/scim/v2")
        for line in lines_of(path):
            reply = await sender.send(line)
            if reply.status not in accepted_statuses(line):
                failures.append((line["name"], line["expect_status"], reply.status, reply.body))
            total = line.get("expect_total")
            if total is not None and reply.body.get("totalResults") != total:
                failures.append((line["name"], "totalResults", total, reply.body))
            if line["method"] != "GET":
                await sender.settle()
            after = line.get("after")
            if after is not None and sender.held(after) != sender.meant(after):
                failures.append((line["name"], sender.meant(after), sender.held(after)))
    return failures


MADE_UP = "{userName}@users.noreply.example.com"
"""authentik's users may have no address at all."""


@pytest.mark.parametrize("wait", ["2s", "0s"], ids=["patient", "elastic"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_each_recorded_request_is_answered_and_reaches_tfe_as_its_sender_meant(
    path, wait, tmp_path
):
    async with (
        simulator(QUICK) as sim,
        relay_for(
            sim,
            tmp_path,
            target={"rate": 100},
            answer={"wait": wait},
            users={"missing_address": MADE_UP},
        ) as relay,
    ):
        failures = await replay(path, sim, relay)
        counters = await relay.counters()

    assert failures == []
    assert refusals(sim) == []
    assert (counters["parked"], counters["refused"], counters["pending"]) == (0, 0, 0)


def test_there_are_ten_senders_to_replay():
    assert len(FILES) == 10
