"""A group larger than TFE takes: one for the identity provider, parts in TFE (`overflow`)."""

import pytest
from support.idp import add, deactivate, group, remove, replace_members
from support.lab import lab_in

from relay.errors import Refused, SettingsError
from relay.probe.session import Asked
from relay.rules.guard import GuardPolicy
from relay.rules.shadow import TargetResource
from relay.rules.types import Fields, Kind
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.compare import importing


@pytest.fixture
async def lab(tmp_path):
    async with lab_in(tmp_path, part=10) as found:
        yield found


def parts(lab):
    """What TFE holds: the names of its groups with their rosters, by userName."""
    names = {one.stamp.id: one.fields.user_name.split("@")[0] for one in lab.tfe.directory.users}
    return {
        one.fields.display_name: {names[member] for member in one.fields.members}
        for one in lab.tfe.directory.groups
    }


def sizes(lab):
    return {name: len(roster) for name, roster in parts(lab).items()}


async def together(lab):
    """Everybody in any part; nobody may be in two."""
    rosters = list(parts(lab).values())
    everybody = set().union(*rosters)
    assert sum(map(len, rosters)) == len(everybody)
    return everybody


async def test_a_group_is_created_in_parts_and_read_as_one(lab):
    people = await lab.users(25)
    crew = await lab.group("Crew", *people)
    await lab.run()

    assert sizes(lab) == {"Crew": 10, "Crew (2)": 10, "Crew (3)": 5}
    assert len(await together(lab)) == 25
    assert await lab.members(crew) == set(people)
    assert (await lab.counters())["parked"] == 0


async def test_a_removal_moves_nobody_and_the_gap_is_filled_first(lab):
    people = await lab.users(21)
    crew = await lab.group("Crew", *people)
    await lab.run()
    before = parts(lab)
    await lab.patch(Kind.GROUP, crew, remove(people[3]))
    await lab.run()
    sent = len(lab.sent)
    assert sizes(lab) == {"Crew": 9, "Crew (2)": 10, "Crew (3)": 1}
    late, later = await lab.user("late@x.org"), await lab.user("later@x.org")
    await lab.patch(Kind.GROUP, crew, add(late, later))
    await lab.run()

    assert sizes(lab) == {"Crew": 10, "Crew (2)": 10, "Crew (3)": 2}
    after = parts(lab)
    assert all(before[name] - after[name] <= {"user00003"} for name in before)
    assert [one.line.split()[0] for one in lab.sent[sent:]] == ["POST", "POST", "PATCH", "PATCH"]


async def test_who_leaves_and_comes_back_before_it_was_sent_costs_nothing(lab):
    people = await lab.users(15)
    crew = await lab.group("Crew", *people)
    await lab.run()
    sent = len(lab.sent)
    await lab.patch(Kind.GROUP, crew, remove(people[12]))
    await lab.patch(Kind.GROUP, crew, add(people[12]))
    await lab.run()

    assert lab.sent[sent:] == []


async def test_a_whole_roster_shrinks_and_grows_the_parts(lab):
    people = await lab.users(30)
    crew = await lab.group("Crew", *people[:25])
    await lab.run()
    await lab.patch(Kind.GROUP, crew, replace_members(*people[20:30]))
    await lab.run()

    assert await lab.members(crew) == set(people[20:30])
    assert await together(lab) == {f"user{number:05}" for number in range(20, 30)}
    assert sizes(lab)["Crew (2)"] == 0, "an empty part stays: a team may be linked to it (H5)"


async def test_a_rename_and_a_deletion_reach_every_part(lab):
    people = await lab.users(25)
    crew = await lab.group("Crew", *people)
    await lab.run()
    await lab.rename(crew, "Staff")
    await lab.run()
    assert set(parts(lab)) == {"Staff", "Staff (2)", "Staff (3)"}
    await lab.delete(Kind.GROUP, crew)
    await lab.run()

    assert parts(lab) == {}
    assert (await lab.counters())["pending"] == 0


async def test_the_names_of_parts_are_reserved_and_their_ids_are_nobodys(lab):
    people = await lab.users(15)
    crew = await lab.group("Crew", *people)
    await lab.run()
    with pytest.raises(Refused, match="is a part of the Group 'Crew'") as refused:
        await lab.group("crew (2)")
    assert refused.value.status == 409
    hidden = next(one for one in lab.tfe.directory.groups if one.fields.display_name != "Crew")
    assert await lab.store.directory.get(Kind.GROUP, hidden.stamp.id, members=False) is None
    with pytest.raises(Refused) as refused:
        await lab.rename(hidden.stamp.id, "Mine")
    assert refused.value.status == 404
    assert await lab.members(crew) == set(people)


async def test_a_name_that_is_taken_refuses_the_members_and_says_whose_it_is(lab):
    people = await lab.users(15)
    await lab.group("Crew (2)")
    with pytest.raises(Refused, match=r"'Crew \(2\)', is another group's") as refused:
        await lab.group("Crew", *people)

    assert refused.value.status == 413


async def test_a_protected_group_never_overflows(tmp_path):
    policy = GuardPolicy(3600.0, {}, 0, protected_groups=("Crew",))
    async with lab_in(tmp_path, part=10, guard=policy) as lab:
        people = await lab.users(11)
        with pytest.raises(Refused) as refused:
            await lab.group("Crew", *people)

    assert refused.value.status == 413


async def test_a_full_group_overflows_once_it_is_switched_on_and_is_refused_before(tmp_path):
    async with lab_in(tmp_path, part=10) as lab:
        people = await lab.users(12)
        crew = await lab.group("Crew", *people[:10])
        await lab.run()
        await lab.patch(Kind.GROUP, crew, add(*people[10:]))
        await lab.run()
        assert sizes(lab) == {"Crew": 10, "Crew (2)": 2}
        tfe, clock = lab.tfe, lab.clock
    with pytest.raises(SettingsError, match=r"groups\.oversize"):
        async with lab_in(tmp_path, tfe, clock):
            pass


async def test_a_user_who_is_deleted_leaves_its_part_and_the_whole(lab):
    people = await lab.users(12)
    crew = await lab.group("Crew", *people)
    await lab.run()
    await lab.delete(Kind.USER, people[11])
    await lab.delete(Kind.USER, people[0])
    await lab.run()
    late = await lab.user("late@x.org")
    await lab.patch(Kind.GROUP, crew, add(late))
    await lab.run()

    assert sizes(lab) == {"Crew": 10, "Crew (2)": 1}
    assert await lab.members(crew) == {*people[1:11], late}


async def test_an_addition_that_tfe_refuses_leaves_the_whole_as_well(lab):
    people = await lab.users(12)
    crew = await lab.group("Crew", *people)
    await lab.run()
    late = await lab.user("late@x.org")
    await lab.run()
    refusal = Fault(kind=FaultKind.STATUS, status=422, detail="no")
    lab.tfe.faults.add(refusal, Match(path=f"/Groups/{hidden_id(lab)}$", count=None))
    await lab.patch(Kind.GROUP, crew, add(late))
    await lab.run()

    assert (await lab.counters())["parked"] == 1
    assert await lab.members(crew) == set(people)


async def imported(lab, name, *members):
    """A group that TFE has, and that the import finds."""
    ids = [await lab.target(member) for member in members]
    fields = Fields(name, None, None, None)
    made = await lab.send(Asked("POST", "/Groups", group(name, *ids)))
    found = TargetResource(made.body["id"], made.body, fields, tuple(ids))
    await lab.store.run(lambda tx: importing.take(tx, Kind.GROUP, found, lab.clock.wall()))


def hidden_id(lab):
    found = [one for one in lab.tfe.directory.groups if one.fields.display_name == "Crew (2)"]
    return found[0].stamp.id


async def test_a_nested_group_that_brings_too_many_overflows_the_group_above(tmp_path):
    async with lab_in(tmp_path, part=10, flatten=True) as lab:
        people = await lab.users(18)
        team = await lab.group("Team", *people[:9])
        crew = await lab.group("Crew", *people[9:])
        await lab.patch(Kind.GROUP, crew, add(team))
        await lab.run()
        assert sizes(lab) == {"Team": 9, "Crew": 10, "Crew (2)": 8}
        await lab.patch(Kind.GROUP, crew, remove(team))
        await lab.run()

        assert sizes(lab) == {"Team": 9, "Crew": 9, "Crew (2)": 0}


async def test_a_group_that_tfe_had_under_the_name_and_no_idp_wrote_becomes_the_part(tmp_path):
    async with lab_in(tmp_path, part=10) as lab:
        people = await lab.users(14)
        await lab.run()
        await imported(lab, "Crew (2)", people[13], people[2])
        crew = await lab.group("Crew", *people[:12])
        await lab.run()

        assert sizes(lab) == {"Crew": 10, "Crew (2)": 2}
        assert await lab.members(crew) == set(people[:12])


async def test_a_group_of_three_and_a_half_thousand(tmp_path):
    async with lab_in(tmp_path, part=1000) as lab:
        people = await lab.users(3600)
        crew = await lab.group("All", *people[:3500])
        await lab.run(most=8000)
        assert sizes(lab) == {"All": 1000, "All (2)": 1000, "All (3)": 1000, "All (4)": 500}
        sent = len(lab.sent)
        await lab.patch(Kind.GROUP, crew, add(*people[3500:]))
        await lab.run()
        assert (sizes(lab)["All (4)"], len(lab.sent) - sent) == (600, 1)
        sent = len(lab.sent)
        await lab.patch(Kind.GROUP, crew, *(remove(one) for one in people[900:1100]))
        await lab.run()
        assert (sizes(lab)["All"], sizes(lab)["All (2)"]) == (900, 900)
        assert len(lab.sent) - sent == 2
        await lab.rename(crew, "Everybody")
        await lab.patch(Kind.USER, people[3300], deactivate())
        await lab.run()
        assert set(sizes(lab)) == {"Everybody", *(f"Everybody ({number})" for number in (2, 3, 4))}
        await lab.delete(Kind.GROUP, crew)
        await lab.run()
        assert sizes(lab) == {}
        assert (await lab.counters())["parked"] == 0


async def test_a_group_is_told_of_once_when_it_passes_nine_tenths(tmp_path):
    told = []
    async with lab_in(tmp_path, counted=lambda metric, label: told.append((metric, label))) as lab:
        people = await lab.users(901)
        crew = await lab.group("Crew", *people[:899])
        assert (await lab.store.snapshot()).near_limit == 0
        await lab.patch(Kind.GROUP, crew, add(people[899]))
        await lab.patch(Kind.GROUP, crew, add(people[900]))

        assert (await lab.store.snapshot()).near_limit == 1
    assert [label for metric, label in told if metric == "near limit"] == ["Crew: 900 of 1000"]


async def test_a_user_is_in_one_group_however_many_parts_it_has(lab):
    people = await lab.users(12)
    crew = await lab.group("Crew", *people)
    found = await lab.store.directory.get(Kind.USER, people[11], members=True)
    assert [(one.id, one.display) for one in found.members] == [(crew, "Crew")]
