"""An operator drops an edit that was parked with its creation: the creation does without it (S1)."""

import pytest
from support.idp import add, group, remove
from support.lab import lab_in
from test_nested_groups import in_groups, people
from test_refusals import refuse

from relay.errors import ParkedBefore
from relay.probe.session import Asked
from relay.rules import dialect
from relay.rules.types import Kind
from relay.store.operate.listing import ChangeFilter

WHY = ("ada (uid 1000)", "a test")


async def creation_again(lab):
    """TFE takes everything now, and the first of the parked changes is tried again."""
    lab.tfe.faults.clear()
    parked = sorted(one["id"] for one in await lab.store.changes(ChangeFilter(state="parked")))
    await lab.store.desk.retry(parked[0], *WHY)
    await lab.run()
    counters = await lab.counters()
    assert (counters["parked"], counters["pending"]) == (0, 0)


async def refused_crew(lab, members=2):
    """A group that TFE refuses to create, with so many of four users."""
    ids = await lab.users(4)
    await lab.run()
    refuse(lab, method="POST", path="^/Groups$")
    return await lab.group("Crew", *ids[:members]), ids


async def test_a_field_is_created_as_it_was_before_the_edit_that_is_dropped(lab):
    refuse(lab, method="POST", body="ada")
    ada = await lab.user("ada@example.com", externalId="e-0")
    await lab.edit(ada, externalId="e-1")
    dropped = await lab.edit(ada, externalId="e-2")
    await lab.run()

    await lab.store.desk.drop(dropped.change, *WHY)
    await creation_again(lab)
    assert lab.user_in_tfe("ada@example.com").external_id == "e-1"
    assert (await lab.shadow(Kind.USER, ada))["externalId"] == "e-1"


async def test_a_field_stays_as_a_later_edit_wrote_it(lab):
    refuse(lab, method="POST", body="ada")
    ada = await lab.user("ada@example.com")
    dropped = await lab.edit(ada, externalId="e-1", active=False)
    await lab.edit(ada, externalId="e-2")
    await lab.run()

    await lab.store.desk.drop(dropped.change, *WHY)
    await creation_again(lab)
    found = lab.user_in_tfe("ada@example.com")
    assert (found.external_id, found.active) == ("e-2", True)


async def test_a_dropped_suspension_is_listed_until_the_idp_says_it_again(lab):
    refuse(lab, method="POST", body="ada")
    ada = await lab.user("ada@example.com")
    dropped = await lab.edit(ada, active=False)
    await lab.run()
    await lab.store.desk.drop(dropped.change, *WHY)
    assert [one["change"] for one in await lab.store.desk.rejected()] == [dropped.change]

    await creation_again(lab)
    await lab.edit(ada, active=False)
    assert list(await lab.store.desk.rejected()) == []


async def test_a_member_is_not_in_a_group_whose_dropped_edit_added_it(lab):
    crew, ids = await refused_crew(lab)
    dropped = await lab.patch(Kind.GROUP, crew, add(*ids[1:]))
    await lab.patch(Kind.GROUP, crew, add(ids[2]))
    await lab.run()

    await lab.store.desk.drop(dropped.change, *WHY)
    await creation_again(lab)
    assert await lab.members(crew) == set(ids[:3])
    assert len(lab.roster("Crew")) == 3


async def test_who_was_taken_off_before_the_dropped_edit_stays_off(lab):
    crew, ids = await refused_crew(lab)
    await lab.patch(Kind.GROUP, crew, remove(ids[1]))
    dropped = await lab.patch(Kind.GROUP, crew, add(ids[1]))
    await lab.run()

    await lab.store.desk.drop(dropped.change, *WHY)
    await creation_again(lab)
    assert await lab.members(crew) == {ids[0]}
    assert lab.roster("Crew") == {"user00000@example.com"}


async def test_who_leaves_a_nested_group_by_a_drop_leaves_those_above_it(tmp_path):
    async with lab_in(tmp_path, flatten=True) as lab:
        a, b = await people(lab, "ab")
        refuse(lab, method="POST", path="/Groups", body="inner")
        inner = await lab.group("inner", a)
        dropped = await lab.patch(Kind.GROUP, inner, add(b))
        await lab.group("outer", inner)
        assert await in_groups(lab, "outer") == ["ab"]

        await lab.store.desk.drop(dropped.change, *WHY)
        assert await in_groups(lab, "outer") == ["a"]
        await creation_again(lab)
        assert await in_groups(lab, "inner", "outer") == ["a", "a"]


async def test_the_refusal_is_still_told_once_when_the_last_edit_is_dropped(lab):
    refuse(lab, detail="no such domain", method="POST", body="ada")
    ada = await lab.user("ada@example.com")
    dropped = await lab.edit(ada, externalId="e-1")
    await lab.run()
    await lab.store.desk.drop(dropped.change, *WHY)

    with pytest.raises(ParkedBefore, match="no such domain"):
        await lab.user("ada@example.com")


async def test_a_dependent_heals_though_its_last_edit_was_dropped(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    refuse(lab, method="PATCH", body="byron")
    cause = await lab.edit(ada, userName="byron@example.com")
    bob = await lab.user("ada@example.com", externalId="bob")
    dropped = await lab.edit(bob, active=False)
    await lab.run()
    await lab.store.desk.drop(dropped.change, *WHY)

    lab.tfe.faults.clear()
    await lab.store.desk.retry(cause.change, *WHY)
    await lab.run()
    assert lab.user_in_tfe("ada@example.com").external_id == "bob"
    assert lab.user_in_tfe("ada@example.com").active is True


async def test_a_creation_that_a_later_one_replaced_is_dropped_alone(lab):
    refuse(lab, method="POST", path="^/Groups$")
    first = await lab.accept(dialect.parse_create(Kind.GROUP, group("Crew", externalId="g-1")))
    await lab.run()
    crew = await lab.group("Crew", externalId="g-2")
    await lab.run()

    await lab.store.desk.drop(first.change, *WHY)
    assert await lab.state(first.change) == "dropped"
    await creation_again(lab)
    assert (await lab.shadow(Kind.GROUP, crew))["externalId"] == "g-2"


async def test_what_was_written_before_a_later_creation_is_dropped_without_effect(lab):
    crew, ids = await refused_crew(lab)
    dropped = await lab.patch(Kind.GROUP, crew, add(ids[2]))
    await lab.run()
    assert await lab.group("Crew", ids[2]) == crew
    await lab.run()

    await lab.store.desk.drop(dropped.change, *WHY)
    assert await lab.state(dropped.change) == "dropped"
    lab.tfe.faults.clear()
    assert len(await lab.store.changes(ChangeFilter(state="parked"))) == 2
    newest = (await lab.store.changes(ChangeFilter(state="parked")))[0]["id"]
    await lab.store.desk.retry(newest, *WHY)
    await lab.run()
    assert lab.roster("Crew") == {"user00002@example.com"}


async def test_who_is_read_as_a_member_is_created_as_one_whatever_change_named_them(lab):
    crew, ids = await refused_crew(lab)
    dropped = await lab.patch(Kind.GROUP, crew, add(ids[2]))
    await lab.run()
    forgets = "UPDATE change SET state = 'delivered' WHERE id = ?"  # as a release before did
    await lab.store.run(lambda tx: tx.run(forgets, (dropped.change,)))

    lab.tfe.faults.clear()
    [creation] = await lab.store.changes(ChangeFilter(state="parked"))
    await lab.store.desk.retry(creation["id"], *WHY)
    await lab.run()
    assert await lab.members(crew) == set(ids[:3])
    assert len(lab.roster("Crew")) == 3


async def test_a_name_is_created_as_it_was_before_the_rename_that_is_dropped(lab):
    crew, _ = await refused_crew(lab)
    dropped = await lab.rename(crew, "Staff")
    await lab.run()

    await lab.store.desk.drop(dropped.change, *WHY)
    await creation_again(lab)
    assert set(lab.names().values()) == {"Crew"}
    assert (await lab.shadow(Kind.GROUP, crew))["displayName"] == "Crew"


async def test_an_edit_of_what_tfe_lost_and_will_not_have_again_is_dropped(lab):
    ada = await lab.user("ada@example.com", externalId="e-0")
    await lab.run()
    await lab.send(Asked("DELETE", f"/Users/{await lab.target(ada)}"))
    refuse(lab, method="POST", path="^/Users$")
    dropped = await lab.edit(ada, externalId="e-1")
    await lab.run()
    assert await lab.state(dropped.change) == "parked"

    await lab.store.desk.drop(dropped.change, *WHY)
    await lab.run()  # it is tried without the edit, and refused again
    assert await lab.shadow(Kind.USER, ada) is None
    lab.tfe.faults.clear()
    assert await lab.user("ada@example.com") == ada
    await lab.run()
    assert lab.user_in_tfe("ada@example.com").external_id is None


async def test_a_dropped_edit_does_not_bring_back_what_was_undone_before_it(lab):
    ada = await lab.user("ada@example.com", externalId="e-0")
    await lab.run()
    await lab.edit(ada, externalId="e-1", active=False)
    await lab.edit(ada, externalId="e-0")
    dropped = await lab.edit(ada, externalId="e-2")

    await lab.store.desk.drop(dropped.change, *WHY)
    await lab.run()
    found = lab.user_in_tfe("ada@example.com")
    assert (found.external_id, found.active) == ("e-0", False)
    assert (await lab.shadow(Kind.USER, ada))["externalId"] == "e-0"


async def test_who_was_taken_off_before_the_dropped_addition_is_not_added(lab):
    ids = await lab.users(2)
    await lab.run()
    crew = await lab.group("Crew", *ids)
    await lab.patch(Kind.GROUP, crew, remove(ids[1]))
    dropped = await lab.patch(Kind.GROUP, crew, add(ids[1]))

    await lab.store.desk.drop(dropped.change, *WHY)
    await lab.run()
    assert await lab.members(crew) == {ids[0]}
    assert lab.roster("Crew") == {"user00000@example.com"}
