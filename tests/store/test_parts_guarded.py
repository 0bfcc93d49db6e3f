"""A large group's parts when the guard holds what takes people out, and an operator decides."""

from contextlib import asynccontextmanager

import pytest
from support.idp import add, remove, replace_members
from support.lab import lab_in
from test_large_groups import sizes

from relay.rules.guard import Budget, GuardPolicy, Loss
from relay.rules.types import Kind
from relay.store.operate.held import Selection
from relay.store.operate.listing import ChangeFilter

WHY = ("ada (uid 1000)", "a test")
EMPTYING = GuardPolicy(3600.0, {}, 4)
DELETING = GuardPolicy(3600.0, {Loss.REMOVALS: Budget(count=1)})


async def crew_of(lab, size):
    """A group of so many, and two people more."""
    ids = await lab.users(size + 2)
    crew = await lab.group("Crew", *ids[:size])
    await lab.run()
    return crew, ids


async def is_in_step(lab, crew):
    """What the IdP reads is what TFE holds, nobody twice, nothing pending."""
    for _ in range(2):
        await lab.run()
        lab.clock.turn(2000)
    await lab.run()
    read = {await lab.target(one) for one in await lab.members(crew)}
    held = [set(one.fields.members) for one in lab.tfe.directory.groups]
    assert set().union(*held) == read
    assert sum(map(len, held)) == len(read)
    assert max(map(len, held)) <= 10
    assert (await lab.counters())["pending"] == 0
    left = "SELECT resource, key FROM effect WHERE state <> 'parked'"
    assert await lab.store.run(lambda tx: tx.all(left)) == []


async def test_emptying_a_large_group_is_held_in_every_part_however_small(tmp_path):
    async with lab_in(tmp_path, part=10, guard=EMPTYING) as lab:
        crew, _ = await crew_of(lab, 13)
        await lab.patch(Kind.GROUP, crew, replace_members())
        await lab.run()
        assert sizes(lab) == {"Crew": 10, "Crew (2)": 3}


async def test_emptying_a_large_group_whose_first_part_is_empty_is_held(tmp_path):
    async with lab_in(tmp_path, part=10, guard=EMPTYING) as lab:
        crew, ids = await crew_of(lab, 15)
        for one in ids[:10]:
            await lab.patch(Kind.GROUP, crew, remove(one))
        await lab.run()
        assert sizes(lab) == {"Crew": 0, "Crew (2)": 5}
        await lab.patch(Kind.GROUP, crew, replace_members())
        await lab.run()
        assert sizes(lab) == {"Crew": 0, "Crew (2)": 5}


async def test_a_part_that_is_left_while_the_group_keeps_people_is_not_held(tmp_path):
    async with lab_in(tmp_path, part=10, guard=EMPTYING) as lab:
        crew, ids = await crew_of(lab, 15)
        await lab.patch(Kind.GROUP, crew, *(remove(one) for one in ids[10:15]))
        await lab.run()
        assert sizes(lab) == {"Crew": 10, "Crew (2)": 0}


@asynccontextmanager
async def deleted(folder):
    """A lab in which the deletion of a large group waits for an operator, in both parts."""
    async with lab_in(folder, part=10, guard=DELETING) as lab:
        crew, ids = await crew_of(lab, 14)
        await lab.delete(Kind.GROUP, crew)
        await lab.run()
        assert sizes(lab) == {"Crew": 10, "Crew (2)": 4}
        assert (await lab.store.snapshot()).held == 2
        yield lab, crew, ids


async def deletion_of(lab, name):
    found = await lab.store.changes(ChangeFilter(state="pending"))
    [change] = [one["id"] for one in found if one["name"] == name]
    return change


async def test_a_large_group_whose_deletion_is_rejected_is_whole_again(tmp_path):
    async with deleted(tmp_path) as (lab, crew, ids):
        await lab.store.desk.reject(Selection(group="Crew"), *WHY)
        assert await lab.members(crew) == set(ids[:14])
        await lab.patch(Kind.GROUP, crew, remove(ids[12]))
        await lab.patch(Kind.GROUP, crew, add(ids[14]))
        await is_in_step(lab, crew)
        assert sizes(lab) == {"Crew": 10, "Crew (2)": 4}


async def test_a_large_group_whose_deletion_is_approved_goes_with_every_part(tmp_path):
    async with deleted(tmp_path) as (lab, _, _):
        await lab.store.desk.approve(Selection(group="Crew"), *WHY)
        await lab.run()
        assert sizes(lab) == {}
        assert (await lab.counters())["pending"] == 0


async def rejected(lab, change):
    await lab.store.desk.reject(Selection(change=change), *WHY)


async def dropped(lab, change):
    await lab.store.desk.drop(change, *WHY)


@pytest.mark.parametrize("undo", [rejected, dropped])
async def test_a_group_whose_own_deletion_is_undone_keeps_its_parts(tmp_path, undo):
    async with deleted(tmp_path) as (lab, crew, ids):
        await undo(lab, await deletion_of(lab, "Crew"))
        await lab.store.desk.approve(Selection(), *WHY)
        await is_in_step(lab, crew)
        assert await lab.members(crew) == set(ids[:14])
        assert sizes(lab) == {"Crew": 10, "Crew (2)": 4}


@pytest.mark.parametrize("undo", [rejected, dropped])
async def test_a_part_whose_deletion_alone_is_undone_is_a_group_of_its_own(tmp_path, undo):
    async with deleted(tmp_path) as (lab, _, ids):
        await undo(lab, await deletion_of(lab, "Crew (2)"))
        await lab.store.desk.approve(Selection(), *WHY)
        await lab.run()
        assert sizes(lab) == {"Crew (2)": 4}
        [part] = await lab.store.run(
            lambda tx: tx.all("SELECT public_id FROM resource WHERE name = 'Crew (2)'")
        )
        assert await lab.members(*part) == set(ids[10:14])


async def test_a_group_that_is_kept_after_a_part_went_finds_its_people_other_seats(tmp_path):
    async with deleted(tmp_path) as (lab, crew, ids):
        part = await deletion_of(lab, "Crew (2)")
        await lab.store.desk.approve(Selection(change=part), *WHY)
        await lab.run()
        assert sizes(lab) == {"Crew": 10}
        await lab.store.desk.reject(Selection(), *WHY)
        await is_in_step(lab, crew)
        assert await lab.members(crew) == set(ids[:14])
        assert sizes(lab) == {"Crew": 10, "Crew (2)": 4}


async def test_a_group_made_again_while_its_deletion_waits_keeps_its_parts_if_that_is_rejected(
    tmp_path,
):
    async with deleted(tmp_path) as (lab, old, ids):
        crew = await lab.group("Crew", *ids[2:6])
        await lab.run()
        await lab.store.desk.reject(Selection(), *WHY)
        await lab.store.desk.approve(Selection(), *WHY)
        await is_in_step(lab, crew)
        assert await lab.members(crew) == await lab.members(old) == set(ids[2:6])
        await lab.store.desk.compact("Crew", *WHY)
        await lab.run()
        assert sizes(lab) == {"Crew": 4}


async def test_a_large_group_made_again_while_its_deletion_waits_takes_the_parts_over(tmp_path):
    async with deleted(tmp_path) as (lab, old, ids):
        crew = await lab.group("Crew", *ids[2:16])
        await lab.run()
        await lab.store.desk.reject(Selection(), *WHY)
        await lab.store.desk.approve(Selection(), *WHY)
        await is_in_step(lab, crew)
        assert await lab.members(crew) == await lab.members(old) == set(ids[2:16])


async def test_a_nested_group_that_empties_the_one_above_is_held_in_every_part(tmp_path):
    async with lab_in(tmp_path, part=10, guard=EMPTYING, flatten=True) as lab:
        crew, ids = await crew_of(lab, 13)
        await lab.patch(Kind.GROUP, crew, replace_members())
        await lab.store.desk.approve(Selection(), *WHY)
        few = await lab.group("Few", *ids[:4])
        more = await lab.group("More", *ids[:9])
        some = await lab.group("Some", *ids[9:15])
        team = await lab.group("Team", few, more, some)
        await lab.run()
        assert sizes(lab)["Team"] + sizes(lab)["Team (2)"] == 15
        held = (await lab.store.snapshot()).held
        await lab.patch(Kind.GROUP, some, replace_members(*ids[9:11]))
        await lab.delete(Kind.GROUP, few)
        await lab.run()
        assert (await lab.store.snapshot()).held == held
        await lab.patch(Kind.GROUP, team, remove(some), remove(more))
        await lab.run()
        assert (await lab.store.snapshot()).held == 11


async def test_a_part_whose_removals_are_held_is_not_compacted(tmp_path):
    policy = GuardPolicy(3600.0, {Loss.REMOVALS: Budget(count=2)})
    async with lab_in(tmp_path, part=10, guard=policy) as lab:
        crew, ids = await crew_of(lab, 14)
        await lab.patch(Kind.GROUP, crew, *(remove(one) for one in ids[10:14]))
        assert await lab.store.desk.compact("Crew", *WHY) == []
        await lab.store.desk.approve(Selection(), *WHY)
        await lab.run()
        assert await lab.store.desk.compact("Crew", *WHY) == ["Crew (2)"]
        await is_in_step(lab, crew)
        assert sizes(lab) == {"Crew": 10}
