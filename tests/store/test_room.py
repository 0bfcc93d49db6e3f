"""A group that is near the most members TFE takes: who waits for room, and who must not."""

from dataclasses import replace

import pytest
from support.idp import add, remove
from support.lab import lab_in

from relay.rules.contract import TFE
from relay.rules.guard import Budget, GuardPolicy, Loss
from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.operate.held import Selection

THREE = replace(TFE, max_members=3)
ONE_REMOVAL = GuardPolicy(3600.0, {Loss.REMOVALS: Budget(count=1)})


async def test_an_addition_in_doubt_does_not_wait_for_the_room_it_takes_itself(tmp_path):
    async with lab_in(tmp_path, profile=THREE) as lab:
        people = await lab.users(4)
        crew = await lab.group("Engineering", people[0])
        await lab.run()
        fault = Fault(kind=FaultKind.RESET_BEFORE)
        lab.tfe.faults.add(fault, Match(method="PATCH", count=1))
        await lab.patch(Kind.GROUP, crew, add(*people[1:3]))
        await lab.run()

        assert len(lab.roster("Engineering")) == 3
        assert (await lab.counters())["pending"] == 0


async def test_a_removal_of_somebody_who_is_not_there_makes_no_room(tmp_path):
    async with lab_in(tmp_path, profile=THREE, guard=ONE_REMOVAL) as lab:
        people = await lab.users(6)
        crew = await lab.group("Engineering", *people[:3])
        await lab.run()
        await lab.patch(Kind.GROUP, crew, remove(people[0]), remove(people[1]))
        lab.clock.turn(301)
        await lab.patch(Kind.GROUP, crew, remove(people[4]), add(people[3]))
        sent = await lab.run()

        assert [one.verdict.status for one in sent] == [200]
        assert len(lab.roster("Engineering")) == 3


async def full_and_one_more(lab):
    """A full group in TFE, a removal that is held, and somebody who waits for the room it makes."""
    people = await lab.users(5)
    crew = await lab.group("Engineering", *people[:3])
    await lab.run()
    await lab.patch(Kind.GROUP, crew, remove(people[0]), remove(people[1]))
    await lab.patch(Kind.GROUP, crew, add(people[3]))
    await lab.run()
    assert len(lab.roster("Engineering")) == 3
    return crew, people


async def deleted(lab, user):
    deletion = await lab.delete(Kind.USER, user)
    await lab.store.desk.approve(Selection(change=deletion.change), "ada", "a test")


async def lost(lab, user):
    lab.tfe.directory.delete_user(await lab.target(user))
    await lab.edit(user, externalId="new")


@pytest.mark.parametrize("goes", [deleted, lost])
async def test_the_room_of_a_user_who_is_gone_is_taken_by_who_waits_for_it(tmp_path, goes):
    async with lab_in(tmp_path, profile=THREE, guard=ONE_REMOVAL) as lab:
        _, people = await full_and_one_more(lab)
        await goes(lab, people[0])
        await lab.run()

        assert "user00003@example.com" in lab.roster("Engineering")
