"""What the relay opens by itself passes the guard as what an identity provider wrote does (K4, H3).

A deletion that is undone, a resource that TFE had already, an answer read back, a loss at TFE: what
differs then was asked for by nobody in these words, and nobody has let it go.
"""

from dataclasses import replace

from support.idp import add, remove, replace_members
from support.lab import lab_in
from test_guard import inactive, policy

from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match
from relay.simulator.records import UserFields
from relay.store.operate.held import Selection
from relay.store.operate.listing import ChangeFilter

WHY = ("ann (uid 1000)", "a test")
ALL = Selection()
BOB, CY, EVE = "bob@example.com", "cy@example.com", "eve@example.com"
ROOT = "root@example.com"
GROUP = policy(protected_groups=("Admins",))
PERSON = policy(protected_users=(ROOT,))


async def approve(lab):
    await lab.store.desk.approve(ALL, *WHY)
    await lab.run()


async def held(lab):
    return {(one.name, one.member) for one in await lab.store.desk.held(ALL)}


async def admins_of_bob(lab):
    """A protected group with one member that an operator let be created; bob, eve and the group."""
    bob, eve = await lab.user(BOB), await lab.user(EVE)
    admins = await lab.group("Admins", bob)
    await approve(lab)
    assert lab.roster("Admins") == {BOB}
    return bob, eve, admins


async def deletion_dropped(lab, deleted):
    await lab.run()
    await lab.store.desk.drop(deleted.change, *WHY)
    await lab.run()


async def test_a_protected_group_that_is_merged_with_one_made_again_gets_nothing_unasked(tmp_path):
    async with lab_in(tmp_path, guard=GROUP) as lab:
        bob, eve, admins = await admins_of_bob(lab)
        deleted = await lab.delete(Kind.GROUP, admins)
        await lab.group("Admins", bob, eve)
        await deletion_dropped(lab, deleted)
        assert lab.roster("Admins") == {BOB}
        assert await held(lab) == {("Admins", EVE)}
        await approve(lab)
        assert lab.roster("Admins") == {BOB, EVE}


async def test_who_is_made_again_suspended_is_suspended_within_the_budget_only(tmp_path):
    async with lab_in(tmp_path, guard=policy(deactivations=1, deletions=1)) as lab:
        people = await lab.users(3)
        await lab.run()
        deleted = [await lab.delete(Kind.USER, one) for one in people]
        for number in range(3):
            await lab.user(f"user{number:05}@example.com", active=False)
        for one in deleted:
            await lab.store.desk.drop(one.change, *WHY)
        await lab.run()
        assert len(inactive(lab)) <= 1
        assert len(await held(lab)) >= 2
        await approve(lab)
        assert len(inactive(lab)) == 3


async def test_a_suspension_that_was_held_stays_held_of_who_is_made_again_suspended(tmp_path):
    async with lab_in(tmp_path, guard=policy(deactivations=1, deletions=1)) as lab:
        people = await lab.users(3)
        await lab.run()
        for one in people:
            await lab.edit(one, active=False)
        assert len(await held(lab)) == 3
        deleted = await lab.delete(Kind.USER, people[0])
        await lab.user("user00000@example.com", active=False)
        lab.clock.turn(90_000)
        await deletion_dropped(lab, deleted)
        assert inactive(lab) == set()
        await approve(lab)
        assert len(inactive(lab)) == 3


async def test_who_is_made_again_leaves_a_protected_group_only_once_approved(tmp_path):
    guard = policy(deletions=1, protected_groups=("Admins",))
    async with lab_in(tmp_path, guard=guard) as lab:
        bob, eve, _ = await admins_of_bob(lab)
        await lab.delete(Kind.USER, eve)
        deleted = await lab.delete(Kind.USER, bob)
        await lab.user(BOB)
        await deletion_dropped(lab, deleted)
        assert lab.roster("Admins") == {BOB}
        assert ("Admins", BOB) in await held(lab)
        await approve(lab)
        assert lab.roster("Admins") == set()


async def test_a_group_whose_creation_is_in_doubt_gets_nothing_unasked_when_it_is_kept(tmp_path):
    async with lab_in(tmp_path, guard=GROUP) as lab:
        eve = await lab.user(EVE)
        await lab.run()
        admins = await lab.group("Admins")
        await lab.store.desk.approve(ALL, *WHY)
        lab.tfe.faults.add(Fault(kind=FaultKind.RESET_AFTER), Match(method="POST"))
        lab.clock.turn(1)
        assert (await lab.step()).line == "POST /Groups"
        await lab.patch(Kind.GROUP, admins, add(eve))
        deleted = await lab.delete(Kind.GROUP, admins)
        await lab.store.desk.reject(Selection(change=deleted.change), *WHY)
        await lab.run()
        assert lab.roster("Admins") == set()
        assert await held(lab) == {("Admins", EVE)}
        await approve(lab)
        assert lab.roster("Admins") == {EVE}


async def test_a_protected_address_of_who_is_found_in_tfe_is_not_changed_unasked(tmp_path):
    async with lab_in(tmp_path, guard=PERSON) as lab:
        lab.tfe.directory.create_user(UserFields(EVE, ROOT))
        await lab.user(EVE)
        await lab.run()
        assert lab.user_in_tfe(EVE).email == ROOT
        assert await held(lab) == {(EVE, None)}
        await approve(lab)
        assert lab.user_in_tfe(EVE).email == EVE


async def by_hand(lab, *members):
    """Somebody gives the protected group other members in TFE."""
    [group] = lab.tfe.directory.groups.named("Admins")
    named = [lab.tfe.directory.users.named(one)[0].stamp.id for one in members]
    fields = replace(group.fields, members=dict.fromkeys(named))
    lab.tfe.directory.update_group(group, fields)


async def looked_at(lab, admins, bob):
    """The IdP says again what it said before, and TFE is asked whether it is so."""
    lab.clock.turn(7 * 3600)
    await lab.patch(Kind.GROUP, admins, add(bob))
    await lab.run()


async def test_who_was_put_into_a_protected_group_by_hand_stays_until_it_is_approved(tmp_path):
    async with lab_in(tmp_path, guard=GROUP) as lab:
        bob, _, admins = await admins_of_bob(lab)
        await by_hand(lab, BOB, EVE)
        await looked_at(lab, admins, bob)
        assert lab.roster("Admins") == {BOB, EVE}
        assert await held(lab) == {("Admins", EVE)}
        await approve(lab)
        assert lab.roster("Admins") == {BOB}


async def test_who_was_taken_out_of_a_protected_group_by_hand_is_back_once_approved(tmp_path):
    async with lab_in(tmp_path, guard=GROUP) as lab:
        bob, _, admins = await admins_of_bob(lab)
        await by_hand(lab)
        await looked_at(lab, admins, bob)
        assert lab.roster("Admins") == set()
        await approve(lab)
        assert lab.roster("Admins") == {BOB}


async def test_a_group_that_somebody_filled_by_hand_is_emptied_only_once_approved(tmp_path):
    async with lab_in(tmp_path, guard=policy(max_emptied=1)) as lab:
        for name in (BOB, CY, EVE):
            await lab.user(name)
        admins = await lab.group("Admins")
        await lab.run()
        await by_hand(lab, BOB, CY, EVE)
        lab.clock.turn(7 * 3600)
        await lab.patch(Kind.GROUP, admins, replace_members())
        await lab.run()
        assert lab.roster("Admins") == {BOB, CY, EVE}
        await approve(lab)
        assert lab.roster("Admins") == set()


async def test_an_approved_change_of_a_protected_group_is_asked_about_once_however_it_went(
    tmp_path,
):
    async with lab_in(tmp_path, guard=GROUP) as lab:
        _, eve, admins = await admins_of_bob(lab)
        lab.clock.turn(7 * 3600)
        lab.tfe.faults.add(Fault(kind=FaultKind.RESET_BEFORE), Match(method="PATCH", count=2))
        await lab.patch(Kind.GROUP, admins, add(eve))
        await approve(lab)
        await lab.run(within_s=400)
        assert lab.roster("Admins") == {BOB, EVE}
        assert await held(lab) == set()


async def test_a_protected_user_whom_tfe_lost_is_made_again_once_approved(tmp_path):
    async with lab_in(tmp_path, guard=PERSON) as lab:
        root = await lab.user(ROOT)
        crew = await lab.group("Crew", root)
        await approve(lab)
        lab.tfe.directory.delete_user(await lab.target(root))
        await lab.edit(root, externalId="another")
        await approve(lab)
        assert lab.user_in_tfe(ROOT) is None
        for _ in range(2):
            await approve(lab)
        assert lab.user_in_tfe(ROOT).external_id == "another"
        assert lab.roster("Crew") == {ROOT}
        assert await lab.members(crew) == {root}


async def test_who_tfe_lost_joins_a_protected_group_again_once_approved(tmp_path):
    async with lab_in(tmp_path, guard=GROUP) as lab:
        bob, _, _ = await admins_of_bob(lab)
        lab.tfe.directory.delete_user(await lab.target(bob))
        await lab.edit(bob, externalId="another")
        await lab.run(within_s=60)
        assert lab.user_in_tfe(BOB) is not None
        assert lab.roster("Admins") == set()
        await approve(lab)
        assert lab.roster("Admins") == {BOB}


async def test_a_removal_that_a_drop_brings_back_is_held_of_a_protected_group(tmp_path):
    """The addition over it went without an answer: TFE may have the member."""
    async with lab_in(tmp_path, guard=GROUP) as lab:
        _, eve, admins = await admins_of_bob(lab)
        await lab.patch(Kind.GROUP, admins, add(eve))
        await lab.store.desk.approve(ALL, *WHY)
        lab.tfe.faults.add(Fault(kind=FaultKind.RESET_AFTER), Match(method="PATCH"))
        lab.clock.turn(1)
        assert (await lab.step()).line.startswith("PATCH")
        await lab.patch(Kind.GROUP, admins, remove(eve))
        again = await lab.patch(Kind.GROUP, admins, add(eve))
        await lab.store.desk.drop(again.change, *WHY)
        await lab.run(within_s=200)
        assert lab.roster("Admins") == {BOB, EVE}
        assert await held(lab) == {("Admins", EVE)}
        await approve(lab)
        assert lab.roster("Admins") == {BOB}


async def test_removals_from_a_protected_group_that_were_approved_count_no_more(tmp_path):
    guard = policy(removals=1, protected_groups=("Admins",))
    async with lab_in(tmp_path, guard=guard) as lab:
        bob, eve, admins = await admins_of_bob(lab)
        await lab.patch(Kind.GROUP, admins, add(eve))
        await approve(lab)
        await lab.patch(Kind.GROUP, admins, remove(bob), remove(eve))
        await lab.store.desk.approve(ALL, *WHY)
        await lab.rename(admins, "Administrators")
        await lab.run()
        assert lab.roster("Admins") == set()
        assert await held(lab) == {("Administrators", None)}


async def test_a_removal_that_was_approved_is_sent_when_a_deletion_over_it_is_dropped(tmp_path):
    async with lab_in(tmp_path, guard=GROUP) as lab:
        bob, _, admins = await admins_of_bob(lab)
        await lab.patch(Kind.GROUP, admins, remove(bob))
        await lab.store.desk.approve(ALL, *WHY)
        await deletion_dropped(lab, await lab.delete(Kind.GROUP, admins))
        assert lab.roster("Admins") == set()
        assert await held(lab) == set()


async def test_who_is_wanted_again_after_a_drop_is_created_once_approved(tmp_path):
    async with lab_in(tmp_path, guard=PERSON) as lab:
        root = await lab.user(ROOT)
        await approve(lab)
        lab.tfe.directory.delete_user(await lab.target(root))
        refusing = Fault(kind=FaultKind.STATUS, status=400)
        lab.tfe.faults.add(refusing, Match(method="POST", count=None))
        await lab.edit(root, externalId="another")
        for _ in range(3):
            await approve(lab)
        lab.tfe.faults.clear()
        for number in await lab.store.desk.numbers(ChangeFilter(state="parked")):
            await lab.store.desk.drop(number, *WHY)
        await lab.run()
        assert lab.user_in_tfe(ROOT) is None
        assert await held(lab) == {(ROOT, None)}
        await approve(lab)
        assert lab.user_in_tfe(ROOT) is not None
