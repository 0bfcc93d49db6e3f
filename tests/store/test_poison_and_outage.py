"""Trouble of a lane is charged to the lane, trouble of TFE to TFE (H4); deaths are in `test_d6`."""

import pytest
from support.idp import deactivate, patch_body, user
from support.world import World, run_virtually

from relay.rules import dialect
from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match


def status(code):
    return Fault(kind=FaultKind.STATUS, status=code)


def virtually(tmp_path, play):
    """Play in a world of its own, in virtual time."""

    async def main():
        world = World(tmp_path / "relay.db")
        await world.start()
        try:
            await play(world)
        finally:
            await world.stop()

    run_virtually(main)


async def create(world, name):
    write = dialect.parse_create(Kind.USER, user(name))
    return await world.store.directory.accept("idp", write, None)


def names(world):
    return {one.fields.user_name for one in world.tfe.directory.users}


@pytest.mark.parametrize("code", [502, 503, 504])
def test_a_change_that_no_gateway_lets_through_stops_nobody_else(code, tmp_path):
    async def play(world):
        world.tfe.faults.add(status(code), Match(method="POST", body="poison", count=None))
        await create(world, "poison@example.com")
        for number in range(20):
            await create(world, f"user{number}@example.com")
        await world.pass_time(120)

        assert len(names(world)) == 20
        assert (await world.counters())["pending"] == 1

    virtually(tmp_path, play)


def test_a_revocation_that_no_gateway_lets_through_stops_nobody_else_and_stays_owed(tmp_path):
    async def play(world):
        ada = await create(world, "ada@example.com")
        await world.settled()
        world.tfe.faults.add(status(502), Match(method="PATCH", count=None))
        write = dialect.parse_patch(Kind.USER, patch_body(deactivate()))
        revoked = await world.store.directory.accept("idp", write, ada.resource.public_id)
        for number in range(20):
            await create(world, f"user{number}@example.com")
        await world.pass_time(120)
        assert len(names(world)) == 21

        for _ in range(90):
            await create(world, f"later{_}@example.com")
            await world.pass_time(60)
        assert (await world.store.change(revoked.change))["state"] == "pending"
        world.tfe.faults.clear()
        await world.settled()
        [found] = world.tfe.directory.users.named("ada@example.com")
        assert found.fields.active is False

    virtually(tmp_path, play)


def test_a_change_that_no_gateway_lets_through_is_parked_after_eight_failures_over_an_hour(
    tmp_path,
):
    async def play(world):
        world.tfe.faults.add(status(502), Match(method="POST", body="poison", count=None))
        poison = await create(world, "poison@example.com")
        for minute in range(120):
            await create(world, f"user{minute}@example.com")
            await world.pass_time(60)
            if minute == 50:
                assert (await world.counters())["parked"] == 0
        found = await world.store.change(poison.change)

        assert found["state"] == "parked"
        assert found["status"] == 502
        assert len(names(world)) == 120

    virtually(tmp_path, play)


def test_an_outage_that_begins_as_500s_parks_nothing_although_others_have_just_succeeded(tmp_path):
    async def play(world):
        for number in range(5):
            await create(world, f"user{number}@example.com")
        await world.pass_time(3)
        assert len(names(world)) == 5

        rule = world.tfe.faults.add(status(500), Match(count=None))
        await create(world, "late@example.com")
        await world.pass_time(600)
        assert (await world.counters())["parked"] == 0

        world.tfe.faults.remove(rule.ident)
        await world.settled()
        assert (await world.counters())["delivered"] == 6

    virtually(tmp_path, play)


async def test_a_first_500_after_lost_answers_is_not_parked_at_once(lab):
    await lab.user("bob@example.com")
    await lab.run()
    ada = await lab.user("ada@example.com")
    lab.tfe.faults.add(Fault(kind=FaultKind.RESET_BEFORE), Match(method="POST", count=3))
    lab.tfe.faults.add(status(500), Match(method="POST", count=1))

    await lab.run(within_s=59)

    assert lab.user_in_tfe("ada@example.com") is not None
    assert await lab.target(ada) is not None
    assert (await lab.counters())["parked"] == 0
