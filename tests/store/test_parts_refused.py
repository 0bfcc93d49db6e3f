"""A large group's parts when TFE refuses, an operator decides, or room is taken (`overflow`)."""

import pytest
from support.idp import add, patch_body, remove
from support.lab import lab_in
from test_large_groups import parts, sizes, together

from relay.errors import Refused, SettingsError
from relay.probe.session import Asked
from relay.rules.standing import Why, explain
from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.groups.seating import configure
from relay.store.operate.listing import ChangeFilter

WHY = ("ada (uid 1000)", "a test")


@pytest.fixture
async def lab(tmp_path):
    async with lab_in(tmp_path, part=3) as found:
        yield found


def refuse(lab, method, path, body=None):
    fault = Fault(kind=FaultKind.STATUS, status=422, detail="no")
    return lab.tfe.faults.add(fault, Match(method=method, path=path, body=body, count=None))


async def parked(lab):
    return [one["id"] for one in await lab.store.changes(ChangeFilter(state="parked"))]


async def refused_part(lab, *, people=5):
    """A group with a second part that TFE refuses to create; its people and its id."""
    ids = await lab.users(9)
    await lab.run()
    refuse(lab, "POST", "^/Groups$", r"Crew \(2\)")
    crew = await lab.group("Crew", *ids[:people])
    await lab.run()
    assert sizes(lab) == {"Crew": 3}
    lab.tfe.faults.clear()
    return crew, ids


async def is_in_step(lab, crew):
    """What the IdP reads is what TFE holds, nobody twice, nothing owed."""
    await lab.run()
    lab.clock.turn(2000)
    await lab.run()
    read = {await lab.target(one) for one in await lab.members(crew)}
    held = [set(one.fields.members) for one in lab.tfe.directory.groups]
    assert sum(map(len, held)) == len(read)
    assert set().union(*held) == read
    assert max(map(len, held)) <= 3
    assert (await lab.counters())["pending"] == 0
    left = "SELECT resource, key FROM effect WHERE state <> 'parked'"
    assert await lab.store.run(lambda tx: tx.all(left)) == []


async def test_who_is_to_join_a_part_that_tfe_refused_can_leave_it(lab):
    crew, ids = await refused_part(lab)
    await lab.patch(Kind.GROUP, crew, remove(ids[4]))
    await lab.run()
    assert await lab.members(crew) == set(ids[:4])

    [creation] = await parked(lab)
    await lab.store.desk.retry(creation, *WHY)
    await is_in_step(lab, crew)
    assert sizes(lab) == {"Crew": 3, "Crew (2)": 1}


async def test_a_part_that_tfe_refused_is_listed_with_its_head_count(lab):
    await refused_part(lab)
    listed = [(one.name, one.members, one.refused) for one in await lab.store.desk.parts()]
    assert listed == [("Crew", 3, False), ("Crew (2)", 2, True)]


async def test_nobody_is_added_to_a_part_that_tfe_refused(lab):
    crew, ids = await refused_part(lab)
    await lab.patch(Kind.GROUP, crew, add(ids[5]))
    await lab.run()
    assert sizes(lab) == {"Crew": 3, "Crew (3)": 1}
    assert await lab.members(crew) == set(ids[:6])


async def test_a_part_whose_creation_is_dropped_takes_its_members_from_the_whole(lab):
    crew, ids = await refused_part(lab)
    [creation] = await parked(lab)
    await lab.store.desk.drop(creation, *WHY)
    assert await lab.members(crew) == set(ids[:3])
    await lab.patch(Kind.GROUP, crew, add(ids[4]))

    await is_in_step(lab, crew)
    assert sizes(lab) == {"Crew": 3, "Crew (2)": 1}


async def test_a_part_that_tfe_refused_is_renamed_with_the_group(lab):
    crew, _ = await refused_part(lab)
    await lab.rename(crew, "Staff")
    [creation] = await parked(lab)
    await lab.store.desk.retry(creation, *WHY)
    await is_in_step(lab, crew)
    assert sizes(lab) == {"Staff": 3, "Staff (2)": 2}


async def test_a_part_that_tfe_refused_goes_with_the_group(lab):
    crew, _ = await refused_part(lab)
    await lab.delete(Kind.GROUP, crew)
    await lab.run()
    [creation] = await parked(lab)
    with pytest.raises(Refused, match="deleted since"):
        await lab.store.desk.retry(creation, *WHY)
    assert parts(lab) == {}


async def test_overflow_is_not_switched_off_while_a_part_waits_for_an_operator(lab):
    await refused_part(lab)
    with pytest.raises(SettingsError, match="overflow"):
        await lab.store.run(lambda tx: configure(tx, None))


async def full_parts(lab):
    """Five people in two parts: users 0 to 2 in the first, 3 and 4 in the second."""
    ids = await lab.users(9)
    crew = await lab.group("Crew", *ids[:5])
    await lab.run()
    assert sizes(lab) == {"Crew": 3, "Crew (2)": 2}
    return crew, ids


def path_of(lab, name):
    [found] = [one for one in lab.tfe.directory.groups if one.fields.display_name == name]
    return f"^/Groups/{found.stamp.id}$"


async def test_who_was_refused_by_one_part_and_is_in_another_since_is_not_added_twice(lab):
    crew, ids = await full_parts(lab)
    refuse(lab, "PATCH", path_of(lab, "Crew (2)"))
    await lab.patch(Kind.GROUP, crew, add(ids[5]))
    await lab.run()
    lab.tfe.faults.clear()
    [refused] = await parked(lab)
    await lab.patch(Kind.GROUP, crew, remove(ids[0]))
    await lab.run()
    await lab.patch(Kind.GROUP, crew, add(ids[5]))
    await lab.run()
    assert "user00005" in parts(lab)["Crew"]

    await lab.store.desk.retry(refused, *WHY)
    await is_in_step(lab, crew)
    assert await lab.members(crew) == {*ids[1:5], ids[5]}


async def test_an_addition_that_is_tried_again_goes_where_there_is_room_now(lab):
    crew, ids = await full_parts(lab)
    refuse(lab, "PATCH", path_of(lab, "Crew (2)"))
    await lab.patch(Kind.GROUP, crew, add(ids[5]))
    await lab.run()
    lab.tfe.faults.clear()
    await lab.patch(Kind.GROUP, crew, add(ids[6]))
    await lab.run()
    assert sizes(lab) == {"Crew": 3, "Crew (2)": 3}

    [refused] = await parked(lab)
    await lab.store.desk.retry(refused, *WHY)
    await is_in_step(lab, crew)
    assert sizes(lab) == {"Crew": 3, "Crew (2)": 3, "Crew (3)": 1}


async def test_a_dropped_removal_brings_one_seat_back_and_no_second_one(lab):
    crew, ids = await full_parts(lab)
    refuse(lab, "PATCH", path_of(lab, "Crew"))
    removal = await lab.patch(Kind.GROUP, crew, remove(ids[0]))
    await lab.run()
    await lab.patch(Kind.GROUP, crew, add(ids[5]))
    await lab.patch(Kind.GROUP, crew, add(ids[0]))
    await lab.run()
    lab.tfe.faults.clear()
    assert await lab.state(removal.change) == "pending"

    await lab.store.desk.drop(removal.change, *WHY)
    await is_in_step(lab, crew)
    assert await lab.members(crew) == set(ids[:6])
    assert "user00000" in parts(lab)["Crew"]
    await together(lab)


async def test_who_has_no_room_any_more_after_a_dropped_removal_gets_another_seat(lab):
    crew, ids = await full_parts(lab)
    refuse(lab, "PATCH", path_of(lab, "Crew"))
    removal = await lab.patch(Kind.GROUP, crew, remove(ids[0]))
    await lab.run()
    await lab.patch(Kind.GROUP, crew, add(ids[5]))
    await lab.run()
    lab.tfe.faults.clear()

    await lab.store.desk.drop(removal.change, *WHY)
    await is_in_step(lab, crew)
    assert await lab.members(crew) == set(ids[:6])
    assert sizes(lab) == {"Crew": 3, "Crew (2)": 3}


async def test_a_part_for_what_was_decided_already_passes_a_name_that_is_taken(tmp_path):
    async with lab_in(tmp_path, part=3, flatten=True) as lab:
        ids = await lab.users(6)
        team = await lab.group("Team", *ids[:3])
        crew = await lab.group("Crew", *ids[3:])
        await lab.run()
        refuse(lab, "PATCH", path_of(lab, "Team"))
        removal = await lab.patch(Kind.GROUP, team, *(remove(one) for one in ids[:3]))
        await lab.patch(Kind.GROUP, crew, add(team))
        await lab.run()
        lab.tfe.faults.clear()
        await lab.group("Crew (2)", ids[0])
        assert sizes(lab) == {"Team": 3, "Crew": 3}

        await lab.store.desk.drop(removal.change, *WHY)
        await lab.run()
        assert sizes(lab) == {"Team": 3, "Crew": 3, "Crew (2)": 1, "Crew (3)": 3}


async def test_a_removal_that_is_owed_is_sent_while_an_addition_waits_for_its_room(tmp_path):
    async with lab_in(tmp_path, part=3) as lab:
        ids = await lab.users(4)
        crew = await lab.group("Crew", *ids[:3])
        await lab.run()
        refuse(lab, "PATCH", path_of(lab, "Crew"))
        await lab.patch(Kind.GROUP, crew, remove(ids[0]))
        await lab.run()
        lab.tfe.faults.clear()
        await lab.patch(Kind.GROUP, crew, add(ids[3]))
        await lab.store.run(lambda tx: tx.run("UPDATE effect SET due = 0"))

        await is_in_step(lab, crew)
        assert await lab.members(crew) == set(ids[1:])


def names(lab):
    return set(sizes(lab))


async def test_a_rename_that_tfe_refuses_is_taken_back_in_every_part(lab):
    crew, _ = await full_parts(lab)
    refuse(lab, "PATCH", path_of(lab, "Crew"))
    await lab.rename(crew, "Staff")
    await lab.run()
    lab.tfe.faults.clear()
    await is_in_step(lab, crew)
    assert names(lab) == {"Crew", "Crew (2)"}

    [refused] = await parked(lab)
    await lab.store.desk.retry(refused, *WHY)
    await is_in_step(lab, crew)
    assert names(lab) == {"Staff", "Staff (2)"}


async def test_a_part_whose_old_name_was_given_away_keeps_the_new_one(lab):
    crew, _ = await full_parts(lab)
    refuse(lab, "PATCH", path_of(lab, "Crew"))
    renamed = await lab.rename(crew, "Staff")
    await lab.group("Crew (2)")
    assert await lab.state(renamed.change) == "pending"
    await lab.run()
    lab.tfe.faults.clear()
    await lab.run()
    assert names(lab) == {"Crew", "Crew (2)", "Staff (2)"}


async def test_a_user_that_tfe_lost_rejoins_the_part_it_is_in_and_no_other(lab):
    crew, ids = await full_parts(lab)
    user = await lab.target(ids[4])
    await lab.send(Asked("DELETE", f"/Users/{user}"))
    await lab.edit(ids[4], externalId="new")
    sent = len(lab.sent)
    await is_in_step(lab, crew)
    assert sizes(lab) == {"Crew": 3, "Crew (2)": 2}
    assert [one.method for one in lab.sent[sent:] if "/Groups" in one.path] == ["PATCH"]


async def test_who_leaves_again_has_parts_read_of_which_tfe_told_long_ago(lab):
    crew, ids = await full_parts(lab)
    await lab.patch(Kind.GROUP, crew, remove(ids[4]))
    await lab.run()
    [path] = [path_of(lab, "Crew (2)").strip("^$")]
    member = {"op": "add", "path": "members", "value": [{"value": await lab.target(ids[4])}]}
    await lab.send(Asked("PATCH", path, patch_body(member)))
    assert sizes(lab)["Crew (2)"] == 2
    lab.clock.turn(301)
    await lab.patch(Kind.GROUP, crew, remove(ids[4]))
    await is_in_step(lab, crew)
    assert sizes(lab)["Crew (2)"] == 1


async def test_a_removal_said_again_is_sent_though_its_user_was_in_a_part_meanwhile(lab):
    crew, ids = await full_parts(lab)
    lab.clock.turn(301)
    await lab.patch(Kind.GROUP, crew, remove(ids[6]))
    await lab.patch(Kind.GROUP, crew, add(ids[6]))
    await lab.patch(Kind.GROUP, crew, remove(ids[6]))
    await is_in_step(lab, crew)
    assert await lab.members(crew) == set(ids[:5])


async def test_who_asks_about_the_group_or_the_part_hears_of_the_part_that_tfe_refused(lab):
    await refused_part(lab)
    [creation] = await parked(lab)
    for name in ("Crew", "crew (2)"):
        facts = await lab.store.desk.facts(Kind.GROUP, name)
        assert creation in {one.change for one in facts.parked}
        assert Why.PARKED in {one.why for one in explain(facts, ())}
    whole = await lab.store.desk.facts(Kind.GROUP, "Crew")
    assert whole.members == (5, 3)


async def addition_to_a_refused_part(lab):
    """The users, the group, and the parked creation of its second part and addition to that."""
    ids = await lab.users(9)
    await lab.run()
    refuse(lab, "POST", "^/Groups$", r"Crew \(2\)")
    crew = await lab.group("Crew", *ids[:4])
    await lab.patch(Kind.GROUP, crew, add(ids[4]))
    await lab.run()
    lab.tfe.faults.clear()
    addition, creation = await parked(lab)
    return ids, crew, creation, addition


async def test_who_was_to_join_a_refused_part_by_a_dropped_addition_is_not_in_the_group(lab):
    ids, crew, creation, addition = await addition_to_a_refused_part(lab)
    assert addition > creation

    await lab.store.desk.drop(addition, *WHY)
    assert await lab.members(crew) == set(ids[:4])
    await lab.store.desk.retry(creation, *WHY)
    await is_in_step(lab, crew)
    assert await lab.members(crew) == set(ids[:4])


async def test_who_has_another_seat_since_keeps_it_when_its_addition_to_a_part_is_dropped(lab):
    ids, crew, creation, addition = await addition_to_a_refused_part(lab)
    await lab.patch(Kind.GROUP, crew, remove(ids[0]), remove(ids[4]))
    await lab.patch(Kind.GROUP, crew, add(ids[4]))
    await lab.run()
    assert "user00004" in parts(lab)["Crew"]

    await lab.store.desk.drop(addition, *WHY)
    await lab.store.desk.retry(creation, *WHY)
    await is_in_step(lab, crew)
    assert await lab.members(crew) == set(ids[1:5])
