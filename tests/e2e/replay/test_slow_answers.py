"""TFE answers slowly: what takes access away has a connection, whatever else is under way (H2)."""

import asyncio

import pytest
from support.idp import user
from support.world import World, run_virtually

from relay.rules import dialect
from relay.rules.types import Kind, Verb, Write
from relay.simulator import Fault, FaultKind, Match

SLOW = Fault(kind=FaultKind.SLOW_AFTER, delay_s=4.0)


def virtually(tmp_path, play, concurrency=4):
    """Play in a world of its own, in virtual time."""

    async def main():
        world = World(tmp_path / "w.db", concurrency=concurrency)
        await world.start()
        try:
            await play(world)
        finally:
            await world.stop()

    run_virtually(main)


async def create(world, name):
    write = dialect.parse_create(Kind.USER, user(name))
    accepted = await world.store.directory.accept("idp", write, None)
    return accepted.resource.public_id


async def delete(world, identifier):
    await world.store.directory.accept("idp", Write(Verb.DELETE, Kind.USER), identifier)


def names(world):
    return {one.fields.user_name for one in world.tfe.directory.users}


async def slow_creations(world, count):
    world.tfe.faults.add(SLOW, Match(method="POST", count=None))
    for number in range(count):
        await create(world, f"user{number}@example.com")
    await world.pass_time(1.0)


@pytest.mark.parametrize("leavers", [1, 5])
def test_an_offboarding_is_not_behind_slow_creations(tmp_path, leavers):
    async def play(world):
        people = {f"leaver{n}@example.com" for n in range(leavers)}
        ids = [await create(world, name) for name in sorted(people)]
        await world.settled()
        await slow_creations(world, 100)
        for one in ids:
            await delete(world, one)
        await world.pass_time(0.5)

        assert not people & names(world)

    virtually(tmp_path, play)


def test_all_connections_but_one_are_used_by_what_is_not_urgent(tmp_path):
    async def play(world):
        await create(world, "ada@example.com")
        await world.settled()
        began = asyncio.get_running_loop().time()
        await slow_creations(world, 30)
        while len(names(world)) < 31:
            await world.pass_time(0.1)
        took_s = asyncio.get_running_loop().time() - began

        assert took_s == pytest.approx(9 * 4.0, abs=2.0)  # three at a time: one of four is kept

    virtually(tmp_path, play)


def test_a_single_connection_serves_everybody(tmp_path):
    async def play(world):
        ada = await create(world, "ada@example.com")
        await world.settled()
        await slow_creations(world, 2)
        await delete(world, ada)
        await world.settled()

        assert names(world) == {"user0@example.com", "user1@example.com"}

    virtually(tmp_path, play, concurrency=1)
