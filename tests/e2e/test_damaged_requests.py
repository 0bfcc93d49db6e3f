"""Damaged requests at a running relay, its store and a strict stand-in behind it: no 500, no 400.

What gets past the parser is accepted, so it must be deliverable: the stand-in never has to refuse.
"""

from __future__ import annotations

import asyncio
import io
import random
import re
from collections import Counter

import aiohttp
import pytest
from support.idp import TOKEN, Idp
from support.mutations import Mutator, recorded
from support.processes import Process
from support.recorded import refusals
from support.relays import RelayProcess, until, write_config
from yarl import URL

from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.server import simulator

ALIAS = re.compile(r"(?:\{|%7B)(user|group)(?::|%3A)(\w+)(?:\}|%7D)")
AT_ONCE = 8
GROWTH_MB = 25
"""Python keeps freed memory for itself; a leak of a request's 1 kB a time would show as more."""


async def made(idp, seeds):
    """A resource for every alias of the recorded requests: its id."""
    text = " ".join(f"{seed.path} {seed.query} {seed.body.decode()}" for seed in seeds)
    found = sorted({match.groups() for match in ALIAS.finditer(text)})
    return {
        (kind, name): await (
            idp.create_user(f"{name}@example.com") if kind == "user" else idp.create_group(name)
        )
        for kind, name in found
    }


class Sender:
    def __init__(self, relay, ids, mutator, count):
        self.relay, self.ids, self.mutator, self.left = relay, ids, mutator, count
        self.seen: Counter[int] = Counter()

    def bound(self, text):
        return ALIAS.sub(lambda match: self.ids.get(match.groups(), match[0]), text)

    async def run(self, session):
        while self.left:
            self.left -= 1
            await self.send(session, self.mutator.next())

    async def send(self, session, asked):
        query = self.bound(asked.query.encode("utf-8", "surrogateescape").decode("latin-1"))
        body = self.bound(asked.body.decode("latin-1")).encode("latin-1")
        # yarl keeps what is encoded as it is; what no request line can hold is not sent.
        query = re.sub(r"[^!-~]|#", lambda match: f"%{ord(match[0]):02X}", query)
        url = URL(f"{self.relay.base}{self.bound(asked.path)}?{query}", encoded=True)
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/scim+json"}
        async with session.request(
            asked.method, url, data=io.BytesIO(body), headers=headers
        ) as answer:
            await answer.read()
        self.seen[answer.status] += 1
        assert answer.status < 500, asked


@pytest.mark.parametrize(
    "count", [400, pytest.param(10_000, marks=[pytest.mark.soak, pytest.mark.timeout(1_800)])]
)
async def test_damaged_requests_make_no_500_and_nothing_that_tfe_would_refuse(tmp_path, count):
    rng = random.Random(20261127)
    settings = SimulatorSettings(limit=RateLimit(rate=0), keep_bodies=True)
    async with simulator(settings) as sim, aiohttp.ClientSession() as session:
        relay = RelayProcess(write_config(sim, tmp_path, target={"rate": 100}))
        await relay.start()
        async with Idp(relay.base) as idp:
            await until(lambda: any(one.get("event") == "import.completed" for one in relay.lines))
            ids = await made(idp, recorded())
        sender = Sender(relay, ids, Mutator(rng, recorded()), count // 4)
        await asyncio.gather(*(sender.run(session) for _ in range(AT_ONCE)))
        warm_mb = Process(relay.process.pid).resident_mb
        sender.left = count - count // 4
        await asyncio.gather(*(sender.run(session) for _ in range(AT_ONCE)))
        grown_mb = Process(relay.process.pid).resident_mb - warm_mb

        async def settled():
            return (await relay.status())["changes"]["pending"] == 0

        await until(settled, 60)
        counters = (await relay.status())["changes"]
        assert await relay.stop() == 0
    print(f"\n{count:,} requests: {dict(sender.seen)}, {counters}, {grown_mb:.1f} MB more")

    assert not any(one.get("event") == "error.unexpected" for one in relay.lines)
    assert list(refusals(sim)) == []
    assert counters["parked"] == 0
    assert sender.seen[400] > count // 10
    assert counters["delivered"] > count // 10
    assert grown_mb < GROWTH_MB
