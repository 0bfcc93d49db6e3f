"""Trouble of a lane is charged to the lane, trouble of TFE to TFE; deaths to their suspect (H4, D6)."""

import pytest
from support.idp import add, deactivate, patch_body, user
from support.lab import lab_in
from support.world import World, run_virtually

from relay.rules import dialect
from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.claiming import Idle


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


def test_three_days_of_outage_cost_no_change_more_than_one_attempt_each_time_it_seems_over(
    tmp_path,
):
    async def play(world):
        rule = world.tfe.faults.add(status(502), Match(count=None))
        for number in range(50):
            await create(world, f"user{number}@example.com")
        await world.pass_time(3 * 86_400)
        posts = world.tfe.log.entries(method="POST")
        probes = world.tfe.log.entries(method="GET")

        assert len(posts) <= 4
        assert len(probes) <= 3 * 86_400 / 15 + 20
        world.tfe.faults.remove(rule.ident)
        await world.settled()
        assert len(names(world)) == 50

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


async def deaths(tmp_path, lab, count):
    """Die so many times while the lane's next write is under way, its effect done."""
    for _ in range(count):
        async with lab_in(tmp_path, lab.tfe, lab.clock) as dying:
            claim = await dying.claim()
            while claim.request.method == "GET":
                await dying.finish(claim, await dying.send(claim.request))
                claim = await dying.claim()


async def test_a_creation_in_flight_at_three_deaths_that_tfe_has_is_found_and_not_parked(tmp_path):
    async with lab_in(tmp_path) as lab:
        ada = await lab.user("ada@example.com")
    await deaths(tmp_path, lab, 2)
    async with lab_in(tmp_path, lab.tfe, lab.clock) as third:
        lookup = await third.step()
        assert lookup.method == "GET"
        claim = await third.claim()
        await third.send(claim.request)
    async with lab_in(tmp_path, lab.tfe, lab.clock) as last:
        sent = await last.run()

        assert [one.method for one in sent] == ["GET"]
        assert (await last.counters())["delivered"] == 1
        assert await last.target(ada) is not None
    assert len(lab.tfe.directory.users) == 1


async def test_a_look_up_that_kills_the_process_does_not_kill_it_for_ever(tmp_path):
    async with lab_in(tmp_path) as lab:
        await lab.user("ada@example.com")
    async with lab_in(tmp_path, lab.tfe, lab.clock) as first:
        await first.claim()
    for _ in range(6):
        async with lab_in(tmp_path, lab.tfe, lab.clock) as dying:
            await dying.claim()
    async with lab_in(tmp_path, lab.tfe, lab.clock) as last:
        assert (await last.counters())["parked"] == 1
        assert await last.run() == []


async def test_a_revocation_in_flight_at_three_deaths_is_owed(tmp_path):
    async with lab_in(tmp_path) as lab:
        ada = await lab.user("ada@example.com")
        await lab.run()
        revoked = await lab.patch(Kind.USER, ada, deactivate())
    await deaths(tmp_path, lab, 3)
    async with lab_in(tmp_path, lab.tfe, lab.clock) as last:
        assert await last.state(revoked.change) == "pending"
        await last.run(within_s=7_200)

        assert await last.state(revoked.change) == "delivered"
        assert last.user_in_tfe("ada@example.com").active is False


async def test_a_roster_change_in_flight_at_every_death_is_found_and_the_others_are_sent(tmp_path):
    async with lab_in(tmp_path) as lab:
        people = await lab.users(8)
        crew = await lab.group("Engineering")
        await lab.run()
        added = [await lab.patch(Kind.GROUP, crew, add(one)) for one in people]
        poison = await lab.target(people[5])
        lab.clock.turn(1)
    died = 0
    alive = False
    while not alive and died < 20:
        async with lab_in(tmp_path, lab.tfe, lab.clock) as again:
            alive = await _lives(again, poison)
        died += not alive
    async with lab_in(tmp_path, lab.tfe, lab.clock) as last:
        states = [await last.state(one.change) for one in added]

        assert states == ["delivered"] * 5 + ["parked"] + ["delivered"] * 2
        assert len(last.roster("Engineering")) == 7
        assert await last.members(crew) == {one for one in people if one != people[5]}
    assert died <= 3 + 3  # three deaths of the whole, then one for each halving of eight


async def _lives(lab, poison):
    """Send all that is due; False when a request that names the poison killed the process."""
    while True:
        lab.clock.turn(1)
        claim = await lab.claim()
        if isinstance(claim, Idle):
            return True
        if poison in {target for _, target in claim.adds}:
            return False
        await lab.finish(claim, await lab.send(claim.request))


async def test_a_deactivation_is_not_parked_with_the_edit_that_kills_the_relay(tmp_path):
    async with lab_in(tmp_path) as lab:
        ada = await lab.user("ada@example.com")
        await lab.run()
        edited = await lab.edit(ada, externalId="poison")
        revoked = await lab.patch(Kind.USER, ada, deactivate())
    for _ in range(12):
        async with lab_in(tmp_path, lab.tfe, lab.clock) as again:
            claim = await again.claim()
            while not isinstance(claim, Idle) and "poison" not in str(claim.request.body):
                await again.finish(claim, await again.send(claim.request))
                claim = await again.claim()
            if isinstance(claim, Idle):
                break
    async with lab_in(tmp_path, lab.tfe, lab.clock) as last:
        assert await last.state(edited.change) == "parked"
        assert await last.state(revoked.change) == "delivered"
        assert last.user_in_tfe("ada@example.com").active is False
