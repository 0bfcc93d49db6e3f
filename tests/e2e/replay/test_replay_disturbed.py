"""The recorded requests again: each twice, neighbours swapped, and with kill -9 between them."""

from __future__ import annotations

import sqlite3
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from support.idp import Idp
from support.recorded import FILES, Sender, accepted_statuses, independent, lines_of, refusals
from support.relays import RelayProcess, relay_for, until, write_config

from relay.rules.dialect import parse_create
from relay.rules.types import Kind
from relay.simulator import RateLimit, SimulatorSettings, simulator

QUICK = SimulatorSettings(limit=RateLimit(rate=200))
SECTIONS = {
    "target": {"rate": 100},
    "answer": {"wait": "0s"},
    "users": {"missing_address": "{userName}@users.noreply.example.com"},
}
IN_THE_TEST_RUN = {"entra", "okta"}
"""The rest of the senders are replayed so by `make soak`."""

SENDERS = [
    pytest.param(path, id=path.stem, marks=() if path.stem in IN_THE_TEST_RUN else pytest.mark.soak)
    for path in FILES
]


def writes(sim):
    """How many requests that change something TFE was sent."""
    return sum(entry.method != "GET" for entry in sim.log.entries())


def again(line):
    """What the second of two equal requests is answered."""
    method, status = line["method"], line["expect_status"]
    if method == "POST" and status == 201:
        return {409}
    if method == "DELETE" and status == 204:
        return {404}
    return accepted_statuses(line)


def unlike(sender, line):
    """Where TFE does not hold what the line was to bring about."""
    after = line.get("after")
    if after is None or sender.held(after) == sender.meant(after):
        return []
    return [(line["name"], sender.meant(after), sender.held(after))]


async def sent(sender, line, statuses):
    """Send a line; what is wrong with its answer."""
    reply = await sender.send(line)
    return [] if reply.status in statuses else [(line["name"], statuses, reply.status, reply.body)]


@pytest.fixture
async def replayed(tmp_path):
    """A sender in front of a relay in this process; at its end nothing was refused or parked."""
    async with (
        simulator(QUICK) as sim,
        relay_for(sim, tmp_path, **SECTIONS) as relay,
        aiohttp.ClientSession() as session,
    ):
        yield Sender(relay, sim, session, f"http://127.0.0.1:{relay.parts.port}/scim/v2")
        counters = await relay.counters()
        assert refusals(sim) == []
        assert (counters["parked"], counters["refused"], counters["pending"]) == (0, 0, 0)


@pytest.mark.parametrize("path", SENDERS)
async def test_a_request_sent_twice_changes_nothing_more_and_costs_tfe_nothing(path, replayed):
    wrong = []
    for line in lines_of(path):
        wrong += await sent(replayed, line, accepted_statuses(line))
        await replayed.settle()
        before = writes(replayed.sim)
        bound = dict(replayed.ids)
        wrong += await sent(replayed, line, again(line))
        await replayed.settle()
        if writes(replayed.sim) != before:
            wrong.append((line["name"], "sent to TFE again", writes(replayed.sim) - before))
        if replayed.ids != bound:
            wrong.append((line["name"], "another id", bound, replayed.ids))
        wrong += unlike(replayed, line)
    assert wrong == []


@pytest.mark.parametrize("first", [0, 1], ids=["even", "odd"])
@pytest.mark.parametrize("path", SENDERS)
async def test_neighbours_that_touch_different_resources_may_come_in_either_order(
    path, first, replayed
):
    lines, wrong, at = lines_of(path), [], 0
    while at < len(lines):
        pair = lines[at : at + 2]
        if at % 2 == first and len(pair) == 2 and independent(*pair):
            pair.reverse()
        else:
            del pair[1:]
        for line in pair:
            wrong += await sent(replayed, line, accepted_statuses(line))
        await replayed.settle()
        for line in pair:
            wrong += unlike(replayed, line)
        at += len(pair)
    assert wrong == []


def test_every_sender_has_neighbours_to_swap():
    pairs = {path.stem: list(pairwise(lines_of(path))) for path in FILES}

    assert all(any(independent(*pair) for pair in of) for of in pairs.values())


class Killed:
    """A relay in a process of its own, seen through its file, as a `Sender` needs it."""

    def __init__(self, config, folder):
        self.process = RelayProcess(config)
        self.file = folder / "relay.db"

    def value(self, statement, *values):
        connection = sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)
        try:
            row = connection.execute(statement, values).fetchone()
        finally:
            connection.close()
        return None if row is None else row[0]

    async def start(self):
        """Serving, TFE's directory known."""
        await self.process.start()
        async with Idp(self.process.base) as idp:

            async def ready():
                return (await idp.get("/Users?count=0")).status == 200

            await until(ready)

    async def killed_and_started(self):
        await self.process.kill()
        self.process = RelayProcess(self.process.config)
        await self.start()

    async def settled(self):
        await until(lambda: self.value(PENDING) == 0)

    async def target_id(self, identifier):
        return self.value(BOUND, identifier)


PENDING = "SELECT value FROM counter WHERE name = 'pending'"
BOUND = "SELECT target_id FROM resource WHERE id = (SELECT resource FROM alias WHERE id = ?)"


async def killed_at(path, points, folder):
    """Replay with a kill -9 right after the answers to these lines; what went wrong.

    A relay that died may not know that it had answered a creation, so a repeat of that very
    creation is told 201 with the same id (A1): only if it was killed since, and only for the id
    that the creation was given. What makes it the same is what it means, not how it is spelt.
    """
    wrong: list[Any] = []
    created: dict[str, tuple[str, int]] = {}
    kills = 0
    async with simulator(QUICK) as sim, aiohttp.ClientSession() as session:
        relay = Killed(write_config(sim, folder, **SECTIONS), folder)
        await relay.start()
        sender = Sender(relay, sim, session, relay.process.base)
        for at, line in enumerate(lines_of(path)):
            reply = await sender.send(line)
            key = meant_by(line)
            again = line["expect_status"] == 409 and reply.status == 201
            identifier, killed = created.get(key, ("", kills))
            if reply.status not in accepted_statuses(line) and not (
                again and killed < kills and reply.body["id"] == identifier
            ):
                wrong.append((line["name"], reply.status, reply.body))
            if key and reply.status == 201 and key not in created:
                created[key] = (reply.body["id"], kills)
            if at in points:
                kills += 1
                await relay.killed_and_started()
                sender.base = relay.process.base
            if line["method"] != "GET":
                await sender.settle()
            wrong += unlike(sender, line)
        assert await relay.process.stop() == 0
        assert list(unexplained(sim)) == []
    return wrong


def meant_by(line):
    """A creation in normal form, as text; empty for any other request."""
    kind = {"/Users": Kind.USER, "/Groups": Kind.GROUP}.get(line["path"])
    if line["method"] != "POST" or kind is None:
        return ""
    write = parse_create(kind, line["body"])
    return f"{kind} {write.edits} {write.members}"


def unexplained(sim):
    """What TFE refused, but a deletion repeated because the relay died before it knew of the first.

    Such a deletion had its effect, so its repetition is 404, and that is how the relay learns it
    (a DELETE is idempotent: it is sent again, not looked up).
    """
    done = set()
    for entry in sim.log.entries():
        repeated = entry.method == "DELETE" and entry.status == 404 and entry.path in done
        if (entry.status or 0) // 100 == 4 and not repeated:
            yield entry.method, entry.path, entry.status
        if entry.method == "DELETE" and entry.status == 204:
            done.add(entry.path)


def middle_writes(path, every):
    """Each so manieth write of a file."""
    changing = [at for at, line in enumerate(lines_of(path)) if line["method"] != "GET"]
    return set(changing[every // 2 :: every])


@pytest.mark.parametrize("path", SENDERS)
async def test_a_kill_between_the_answer_and_tfe_loses_nothing(path, tmp_path):
    points = middle_writes(path, 12)

    assert points
    assert await killed_at(path, points, tmp_path) == []


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_a_kill_after_every_second_write_loses_nothing(path, tmp_path):
    assert await killed_at(path, middle_writes(path, 2), tmp_path) == []
