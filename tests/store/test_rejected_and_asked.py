"""What a rejection leaves, and how long an approval lasts (H3)."""

from dataclasses import replace

import pytest
from support.idp import add, deactivate, group, remove, replace_members
from support.lab import lab_in
from test_compared_and_held import ALL, BOB, EVE, GROUP, PERSON, ROOT, WHY, approve, held
from test_guard import inactive, off, policy

from relay.rules import dialect
from relay.rules.shadow import TargetResource
from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.compare import adopting
from relay.store.state import rows


async def reject(lab):
    await lab.store.desk.reject(ALL, *WHY)
    await lab.run(within_s=300)


async def active_by_hand(lab):
    """Somebody sets every user active in TFE."""
    for one in list(lab.tfe.directory.users):
        lab.tfe.directory.update_user(one, replace(one.fields, active=True))


async def suspended_once(lab):
    """A protected user whose suspension was approved, and undone by hand."""
    root = await lab.user(ROOT)
    await approve(lab)
    await lab.patch(Kind.USER, root, deactivate())
    await approve(lab)
    await active_by_hand(lab)
    return root


async def swept(lab, identifier, members=None, **changed):
    """A comparison reads what TFE has of a resource."""

    def confirm(tx):
        row = tx.value("SELECT resource FROM alias WHERE id = ?", (identifier,))
        known = rows.by_row(tx, row)
        fields = replace(known.confirmed, **changed)
        adopting.confirm(tx, row, TargetResource(known.target_id, {}, fields, members))

    await lab.store.run(confirm)


# --- renames ---------------------------------------------------------------------------------


async def renamed_twice(lab):
    """A group's rename that is pending, and one above it that is held; the group and both."""
    crew = await lab.group("Crew")
    await lab.run()
    return crew, await lab.rename(crew, "Band"), await lab.rename(crew, "Admins")


async def test_a_rename_that_was_dropped_does_not_come_back_when_the_one_above_is_rejected(
    tmp_path,
):
    async with lab_in(tmp_path, guard=GROUP) as lab:
        crew, first, _ = await renamed_twice(lab)
        await lab.store.desk.drop(first.change, *WHY)
        await reject(lab)
        assert set(lab.names().values()) == {"Crew"}
        assert (await lab.shadow(Kind.GROUP, crew))["displayName"] == "Crew"


async def test_dropping_a_held_rename_lets_the_one_beneath_go_which_nobody_held(tmp_path):
    async with lab_in(tmp_path, guard=GROUP) as lab:
        _, first, second = await renamed_twice(lab)
        await lab.store.desk.drop(second.change, *WHY)
        assert await held(lab) == set()
        await lab.run()
        assert set(lab.names().values()) == {"Band"}
        assert await lab.state(first.change) == "delivered"


async def test_a_creation_brings_the_first_name_once_the_rename_beneath_a_held_one_is_dropped(
    tmp_path,
):
    async with lab_in(tmp_path, guard=GROUP) as lab:
        crew = await lab.group("Crew")
        first = await lab.rename(crew, "Band")
        await lab.rename(crew, "Admins")
        await lab.store.desk.drop(first.change, *WHY)
        await lab.run()
        assert set(lab.names().values()) == {"Crew"}


# --- losses ----------------------------------------------------------------------------------


async def test_a_rejected_suspension_is_none_though_one_was_pending_beneath_it(tmp_path):
    async with lab_in(tmp_path, guard=PERSON) as lab:
        eve = await lab.user(EVE)
        await lab.run()
        await lab.edit(eve, active=False)
        await lab.edit(eve, userName=ROOT, active=False)
        await reject(lab)
        assert inactive(lab) == set()
        assert (await lab.shadow(Kind.USER, eve))["active"] is True


async def test_a_rejected_removal_takes_nobody_off_whose_addition_is_in_doubt(tmp_path):
    async with lab_in(tmp_path, guard=GROUP) as lab:
        bob, eve = await lab.user(BOB), await lab.user(EVE)
        admins = await lab.group("Admins", bob)
        await approve(lab)
        await lab.patch(Kind.GROUP, admins, add(eve))
        await lab.store.desk.approve(ALL, *WHY)
        lab.tfe.faults.add(Fault(kind=FaultKind.RESET_AFTER), Match(method="PATCH"))
        lab.clock.turn(1)
        await lab.step()
        await lab.patch(Kind.GROUP, admins, remove(eve))
        await reject(lab)
        assert lab.roster("Admins") == {BOB, EVE}
        assert await lab.members(admins) == {bob, eve}
        assert await held(lab) == set()


async def test_a_suspension_that_is_repeated_and_rejected_is_not_sent_to_make_sure(tmp_path):
    async with lab_in(tmp_path, guard=PERSON) as lab:
        root = await suspended_once(lab)
        lab.clock.turn(4000)
        await lab.patch(Kind.USER, root, deactivate())
        await reject(lab)
        assert inactive(lab) == set()
        assert await held(lab) == {(ROOT, None)}


# --- approvals -------------------------------------------------------------------------------


async def test_an_approved_suspension_is_no_approval_of_a_later_one(tmp_path):
    async with lab_in(tmp_path, guard=policy(deactivations=1)) as lab:
        people = await lab.users(5)
        await lab.run()
        await off(lab, *people)
        await approve(lab)
        assert len(inactive(lab)) == 5
        await active_by_hand(lab)
        lab.clock.turn(86_400 * 30)
        for one in people:
            await swept(lab, one, active=True)
        await lab.run()
        assert inactive(lab) == set()
        assert len(await held(lab)) == 5


@pytest.mark.parametrize("deleted", [False, True])
async def test_a_protected_user_who_was_suspended_once_is_not_suspended_again_unasked(
    tmp_path, deleted
):
    async with lab_in(tmp_path, guard=PERSON) as lab:
        root = await suspended_once(lab)
        lab.clock.turn(90_000)
        await swept(lab, root, active=True)
        if deleted:
            await lab.delete(Kind.USER, root)
            await lab.store.desk.reject(ALL, *WHY)
        await lab.run()
        assert inactive(lab) == set()
        assert await held(lab) == {(ROOT, None)}


async def test_an_approved_emptying_is_no_approval_of_a_later_one(tmp_path):
    async with lab_in(tmp_path, guard=policy(max_emptied=1)) as lab:
        people = await lab.users(3)
        crew = await lab.group("Crew", *people)
        await lab.run()
        await lab.patch(Kind.GROUP, crew, replace_members())
        await approve(lab)
        [found] = lab.tfe.directory.groups.named("Crew")
        members = dict.fromkeys(one.stamp.id for one in lab.tfe.directory.users)
        lab.tfe.directory.update_group(found, replace(found.fields, members=members))
        lab.clock.turn(90_000)
        await swept(lab, crew, members=tuple(members))
        await lab.run()
        assert len(lab.roster("Crew")) == 3


# --- what nobody is to be asked about ---------------------------------------------------------


async def test_removals_within_the_budget_go_though_somebody_else_of_the_group_is_merged(tmp_path):
    async with lab_in(tmp_path, guard=policy(removals=50, deletions=5)) as lab:
        people = await lab.users(6)
        crew = await lab.group("Crew", *people)
        await lab.run()
        await lab.patch(Kind.GROUP, crew, remove(people[1]), remove(people[2]))
        deleted = await lab.delete(Kind.USER, people[0])
        await lab.user("user00000@example.com")
        await lab.store.desk.drop(deleted.change, *WHY)
        await lab.run()
        assert lab.roster("Crew") == {f"user0000{one}@example.com" for one in (3, 4, 5)}
        assert await held(lab) == set()


async def test_who_came_into_a_protected_group_while_its_creation_was_parked_is_asked_about(
    tmp_path,
):
    async with lab_in(tmp_path, guard=GROUP, flatten=True) as lab:
        bob, eve = await lab.user(BOB), await lab.user(EVE)
        child = await lab.group("Child", bob)
        await lab.run()
        body = group("Admins", child)
        made = await lab.accept(dialect.parse_create(Kind.GROUP, body))
        refusing = Fault(kind=FaultKind.STATUS, status=400)
        lab.tfe.faults.add(refusing, Match(method="POST", count=None))
        await approve(lab)
        lab.tfe.faults.clear()
        await lab.patch(Kind.GROUP, child, add(eve))
        await lab.store.desk.retry(made.change, *WHY)
        await lab.run()
        assert "Admins" not in lab.names().values()
        assert await held(lab) == {("Admins", None), ("Admins", BOB), ("Admins", EVE)}
        await approve(lab)
        assert lab.roster("Admins") == {BOB, EVE}


async def test_an_edit_that_was_held_when_its_creation_was_refused_is_held_again(tmp_path):
    async with lab_in(tmp_path, guard=PERSON) as lab:
        refusing = Fault(kind=FaultKind.STATUS, status=400)
        lab.tfe.faults.add(refusing, Match(method="POST", count=None))
        eve = await lab.user(EVE)
        made = (await lab.store.changes())[0]["id"]
        await lab.edit(eve, emails=[{"value": ROOT, "primary": True}])
        await lab.run()
        lab.tfe.faults.clear()
        await lab.store.desk.retry(made, *WHY)
        await lab.run()
        assert lab.user_in_tfe(EVE) is None
        await approve(lab)
        assert lab.user_in_tfe(EVE).email == ROOT
