"""The guard: what is too much waits for an operator, everything else flows (H3, S4)."""

import pytest
from support.idp import activate, add, deactivate, remove, replace_members, user
from support.lab import lab_in

from relay.errors import MaybeSent
from relay.rules import dialect
from relay.rules.guard import Budget, GuardPolicy, Loss
from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.compare.adopting import absent
from relay.store.operate.held import Selection

ALL = Selection()


def policy(**budgets):
    more = {name: budgets.pop(name) for name in list(budgets) if name not in set(Loss)}
    return GuardPolicy(
        3600.0, {Loss(name): Budget(count=count) for name, count in budgets.items()}, **more
    )


@pytest.fixture
def guarded(tmp_path):
    def open_lab(**kinds):
        return lab_in(tmp_path, guard=policy(**kinds))

    return open_lab


async def off(lab, *users):
    return [await lab.patch(Kind.USER, one, deactivate()) for one in users]


def inactive(lab):
    return {one.fields.user_name for one in lab.tfe.directory.users if not one.fields.active}


async def test_deactivations_within_the_budget_pass(guarded):
    async with guarded(deactivations=3) as lab:
        people = await lab.users(5)
        await lab.run()
        await off(lab, *people[:3])
        await lab.run()
        assert len(inactive(lab)) == 3
        assert (await lab.store.snapshot()).held == 0


async def test_one_deactivation_more_than_the_budget_holds_all_that_were_not_sent_yet(guarded):
    async with guarded(deactivations=3) as lab:
        people = await lab.users(8)
        await lab.run()
        await off(lab, *people[:2])
        await lab.run()
        changes = await off(lab, *people[2:6])
        await lab.run()

        assert len(inactive(lab)) == 2
        assert [await lab.state(one.change) for one in changes] == ["pending"] * 4
        [hold] = (await lab.store.snapshot()).holds
        assert hold.name == "guard"
        assert "4 deactivations in 60 minutes where 3 pass" in hold.reason


async def test_the_identity_provider_is_answered_as_usual_while_the_guard_holds(guarded):
    async with guarded(deactivations=1) as lab:
        ada, bob = await lab.users(2)
        await lab.run()
        _, held = await off(lab, ada, bob)

        assert held.resource.shadow["active"] is False
        assert held.wait is False


async def test_everything_else_of_the_same_user_flows_while_a_deactivation_is_held(guarded):
    async with guarded(deactivations=1) as lab:
        ada, bob = await lab.users(2)
        await lab.run()
        await off(lab, ada, bob)
        await lab.edit(bob, externalId="new")
        await lab.run()

        found = lab.user_in_tfe("user00001@example.com")
        assert (found.external_id, found.active) == ("new", True)


async def test_after_a_trip_every_further_loss_of_the_connection_waits_too(guarded):
    async with guarded(deactivations=1, deletions=5) as lab:
        ada, bob, cid = await lab.users(3)
        await lab.run()
        await off(lab, ada, bob)
        lab.clock.turn(7200)
        await lab.delete(Kind.USER, cid)
        await lab.delete(Kind.USER, bob)
        await lab.run()

        assert lab.user_in_tfe("user00002@example.com") is not None
        assert lab.user_in_tfe("user00001@example.com") is not None


async def test_another_connections_budget_is_its_own(guarded):
    async with guarded(deactivations=1) as lab:
        ada, bob, cid = await lab.users(3)
        await lab.run()
        await off(lab, ada, bob)
        write = dialect.parse_patch(Kind.USER, {"Operations": [deactivate()]})
        await lab.store.directory.accept("other", write, cid)
        await lab.run()

        assert inactive(lab) == {"user00002@example.com"}


async def test_the_budget_counts_the_window_only(guarded):
    async with guarded(deactivations=2) as lab:
        people = await lab.users(5)
        await lab.run()
        await off(lab, *people[:2])
        await lab.run()
        lab.clock.turn(3601)
        await off(lab, *people[2:4])
        await lab.run()

        assert len(inactive(lab)) == 4


async def test_what_waits_for_a_target_that_is_down_is_still_held_when_the_budget_is_overdrawn(
    guarded,
):
    async with guarded(deactivations=2) as lab:
        people = await lab.users(6)
        await lab.run()
        await off(lab, *people[:2])
        lab.clock.turn(3601)
        await off(lab, *people[2:5])

        assert (await lab.store.snapshot()).held == 5


async def test_a_loss_that_is_given_back_counts_no_longer(guarded):
    async with guarded(deactivations=1) as lab:
        people = await lab.users(4)
        await lab.run()
        for one in people:
            await off(lab, one)
            await lab.run()
            await lab.patch(Kind.USER, one, activate())
            await lab.run()

        assert (await lab.store.snapshot()).held == 0


async def test_a_held_loss_that_the_identity_provider_takes_back_dissolves(guarded):
    async with guarded(removals=2) as lab:
        people = await lab.users(4)
        crew = await lab.group("Crew", *people)
        await lab.run()
        changes = [await lab.patch(Kind.GROUP, crew, remove(one)) for one in people]
        assert (await lab.store.snapshot()).held == 4
        for one in people:
            await lab.patch(Kind.GROUP, crew, add(one))

        before = len(lab.sent)
        await lab.run()
        snapshot = await lab.store.snapshot()
        assert (snapshot.held, snapshot.holds) == (0, ())
        assert len(lab.roster("Crew")) == 4
        assert len(lab.sent) - before <= 1
        assert [await lab.state(one.change) for one in changes] == ["delivered"] * 4
        await lab.counters()


async def test_deleting_a_group_counts_its_members(guarded):
    async with guarded(removals=3, deletions=10) as lab:
        people = await lab.users(4)
        crew = await lab.group("Crew", *people)
        await lab.run()
        await lab.delete(Kind.GROUP, crew)
        await lab.run()

        assert len(lab.roster("Crew")) == 4


async def test_a_users_deletion_is_one_loss_whatever_groups_it_is_in(guarded):
    async with guarded(removals=1, deletions=1) as lab:
        ada = await lab.user("ada@example.com")
        for number in range(5):
            await lab.group(f"Crew {number}", ada)
        await lab.run()
        await lab.delete(Kind.USER, ada)
        await lab.run()

        assert lab.user_in_tfe("ada@example.com") is None


async def test_one_request_that_empties_a_large_group_waits_whatever_the_budget(guarded):
    async with guarded(max_emptied=3) as lab:
        people = await lab.users(4)
        crew = await lab.group("Crew", *people)
        small = await lab.group("Small", *people[:3])
        await lab.run()
        for one in (crew, small):
            await lab.patch(Kind.GROUP, one, replace_members())
        await lab.run()

        assert (len(lab.roster("Crew")), len(lab.roster("Small"))) == (4, 0)


async def test_a_create_that_is_deactivated_before_it_was_sent_is_no_loss(guarded):
    async with guarded(deactivations=1) as lab:
        people = await lab.users(4)
        await off(lab, *people)
        await lab.run()

        assert len(inactive(lab)) == 4


async def test_a_repeated_deactivation_is_no_further_loss(guarded):
    async with guarded(deactivations=1) as lab:
        [ada] = await lab.users(1)
        await lab.run()
        for _ in range(3):
            await off(lab, ada)
            await lab.run()
            lab.clock.turn(400)

        assert (await lab.store.snapshot()).held == 0


async def test_a_held_deactivation_that_is_repeated_after_the_window_stays_held(guarded):
    async with guarded(deactivations=1) as lab:
        ada, bob = await lab.users(2)
        await lab.run()
        await off(lab, ada, bob)
        lab.clock.turn(90_000)
        await off(lab, bob)
        await lab.run()

        assert "user00001@example.com" not in inactive(lab)


async def test_removals_that_follow_from_an_adoption_are_counted(guarded):
    async with guarded(removals=2) as lab:
        people = await lab.users(4)
        crew = await lab.group("Crew", *people)
        await lab.run()
        await lab.store.run(lambda tx: _forget(tx, "Crew"))
        await lab.group("Crew", people[0])
        await lab.run()

        assert len(lab.roster("Crew")) == 4
        assert (await lab.store.snapshot()).held == 3
        assert crew


def _forget(tx, name):
    """The directory loses a group that TFE keeps, as after a restore from an old backup."""
    row = tx.value("SELECT id FROM resource WHERE name = ?", (name,))
    tx.run("DELETE FROM resource WHERE id = ?", (row,))
    tx.run("DELETE FROM alias WHERE resource = ?", (row,))
    tx.run("DELETE FROM member WHERE group_id = ?", (row,))


async def test_additions_wait_for_the_room_that_a_held_removal_would_make(guarded):
    async with guarded(removals=1) as lab:
        people = await lab.users(1003)
        crew = await lab.group("Crew", *people[:1000])
        await lab.run(within_s=600)
        await lab.patch(Kind.GROUP, crew, *[remove(one) for one in people[:3]])
        changes = await lab.patch(Kind.GROUP, crew, *[add(one) for one in people[1000:]])
        await lab.run()

        assert len(lab.roster("Crew")) == 1000
        assert await lab.state(changes.change) == "pending"
        await lab.store.desk.approve(ALL, "ada", "a reorganisation")
        await lab.run()
        assert await lab.state(changes.change) == "delivered"
        assert "user01002@example.com" in lab.roster("Crew")


# --- an operator decides ---------------------------------------------------------------------


async def test_approval_lets_exactly_what_was_held_go(guarded):
    async with guarded(deactivations=1) as lab:
        people = await lab.users(5)
        await lab.run()
        changes = await off(lab, *people[:3])
        approved = await lab.store.desk.approve(ALL, "ada", "layoffs")
        await lab.run()

        assert len(approved) == 3
        assert len(inactive(lab)) == 3
        assert {await lab.state(one.change) for one in changes} == {"delivered"}
        await off(lab, people[3])
        await lab.run()
        assert len(inactive(lab)) == 4
        await lab.counters()


async def test_one_person_is_approved_and_the_others_wait_on(guarded):
    async with guarded(deactivations=1) as lab:
        people = await lab.users(4)
        await lab.run()
        await off(lab, *people[:3])
        person = Selection(person="USER00001@example.com")
        await lab.store.desk.approve(person, "ada", "has left")
        await lab.run()

        assert inactive(lab) == {"user00001@example.com"}
        assert (await lab.store.snapshot()).held == 2


async def test_rejection_returns_desired_to_what_tfe_has(guarded):
    async with guarded(deactivations=1) as lab:
        people = await lab.users(3)
        await lab.run()
        changes = await off(lab, *people)
        await lab.edit(people[0], externalId="kept")
        await lab.store.desk.reject(ALL, "ada", "a mistake")
        await lab.run()

        assert inactive(lab) == set()
        shadow = await lab.shadow(Kind.USER, people[0])
        assert (shadow["active"], shadow["externalId"]) == (True, "kept")
        assert {await lab.state(one.change) for one in changes} == {"dropped"}
        await lab.counters()


async def test_what_was_rejected_is_listed_until_the_identity_provider_writes_it_again(guarded):
    async with guarded(deactivations=1) as lab:
        ada, bob = await lab.users(2)
        await lab.run()
        await off(lab, ada, bob)
        await lab.store.desk.reject(ALL, "ada", "a mistake")
        assert {row["name"] for row in await lab.store.desk.rejected()} == {
            "user00000@example.com",
            "user00001@example.com",
        }
        await lab.patch(Kind.USER, ada, activate())
        [left] = await lab.store.desk.rejected()
        assert left["name"] == "user00001@example.com"
        assert left["reason"] == "a mistake"


async def test_a_rejected_removal_leaves_the_member_where_it_is(guarded):
    async with guarded(removals=1) as lab:
        people = await lab.users(3)
        crew = await lab.group("Crew", *people)
        await lab.run()
        await lab.patch(Kind.GROUP, crew, *[remove(one) for one in people])
        before = len(lab.sent)
        await lab.store.desk.reject(ALL, "ada", "a mistake")
        await lab.run()

        assert (len(lab.roster("Crew")), len(await lab.members(crew))) == (3, 3)
        assert len(lab.sent) == before
        await lab.counters()


async def test_a_rejected_deletion_brings_the_user_back_with_its_groups(guarded):
    async with guarded(deletions=1) as lab:
        people = await lab.users(2)
        crew = await lab.group("Crew", *people)
        await lab.run()
        for one in people:
            await lab.delete(Kind.USER, one)
        assert await lab.shadow(Kind.USER, people[0]) is None
        await lab.store.desk.reject(ALL, "ada", "a mistake")
        await lab.run()

        assert await lab.members(crew) == set(people)
        assert len(lab.roster("Crew")) == 2
        await lab.counters()


async def test_an_approved_deletion_goes_before_the_creation_of_the_same_name(guarded):
    async with guarded(deletions=1) as lab:
        ada, bob = await lab.users(2)
        await lab.run()
        for one in (ada, bob):
            await lab.delete(Kind.USER, one)
        again = await lab.user("user00001@example.com")
        await lab.run()
        before = len(lab.sent)
        await lab.store.desk.approve(ALL, "ada", "yes")
        await lab.run()

        lines = [one.line for one in lab.sent[before:]]
        assert lines[-1] == "POST /Users"
        assert sum(line.startswith("DELETE") for line in lines) == 2
        assert await lab.target(again) != await lab.target(bob)


async def test_a_rejected_deletion_is_merged_with_the_creation_that_took_its_name(guarded):
    async with guarded(deletions=1) as lab:
        ada, bob = await lab.users(2)
        crew = await lab.group("Crew", bob)
        await lab.run()
        bound = await lab.target(bob)
        for one in (ada, bob):
            await lab.delete(Kind.USER, one)
        again = await lab.user("user00001@example.com", externalId="second")
        await lab.patch(Kind.GROUP, crew, add(again))
        await lab.run()
        await lab.store.desk.reject(ALL, "ada", "a mistake")
        await lab.run()

        assert await lab.target(again) == await lab.target(bob) == bound
        assert lab.user_in_tfe("user00001@example.com").external_id == "second"
        assert lab.roster("Crew") == {"user00001@example.com"}
        for identifier in (bob, again):
            assert (await lab.shadow(Kind.USER, identifier))["externalId"] == "second"
        await lab.counters()


# --- the protected ---------------------------------------------------------------------------


async def test_every_change_that_touches_a_protected_group_waits_additions_too(guarded):
    async with guarded(protected_groups=("Site Admins",)) as lab:
        ada = await lab.user("ada@example.com")
        admins = await lab.group("site admins", ada)
        await lab.run()
        assert lab.names() == {}

        await lab.store.desk.approve(ALL, "ada", "the first time")
        await lab.run()
        assert lab.roster("site admins") == {"ada@example.com"}

        eve = await lab.user("eve@example.com")
        await lab.patch(Kind.GROUP, admins, add(eve))
        await lab.run()
        assert lab.roster("site admins") == {"ada@example.com"}
        assert lab.user_in_tfe("eve@example.com") is not None


async def test_a_protected_group_stays_protected_under_another_name(guarded):
    async with guarded(protected_groups=("Admins",)) as lab:
        admins = await lab.group("Admins")
        await lab.store.desk.approve(ALL, "ada", "the first time")
        await lab.run()
        await lab.rename(admins, "Harmless")
        await lab.store.desk.approve(ALL, "ada", "renamed")
        await lab.run()
        eve = await lab.user("eve@example.com")
        await lab.patch(Kind.GROUP, admins, add(eve))
        await lab.run()

        assert lab.roster("Harmless") == set()


async def test_creating_a_user_with_a_protected_address_waits(guarded):
    async with guarded(protected_users=("root@example.com",)) as lab:
        await lab.post(user("eve", emails=[{"value": "Root@Example.com", "primary": True}]))
        await lab.user("bob@example.com")
        await lab.run()

        assert lab.user_in_tfe("eve") is None
        assert lab.user_in_tfe("bob@example.com") is not None


async def test_taking_a_protected_address_waits(guarded):
    async with guarded(protected_users=("root@example.com",)) as lab:
        eve = await lab.user("eve@example.com")
        await lab.run()
        await lab.edit(eve, emails=[{"value": "root@example.com", "primary": True}])
        await lab.run()

        assert lab.user_in_tfe("eve@example.com").email == "eve@example.com"


async def test_a_protected_users_memberships_wait_and_the_others_in_the_request_go(guarded):
    async with guarded(protected_users=("root@example.com",)) as lab:
        root, bob = await lab.user("root@example.com"), await lab.user("bob@example.com")
        await lab.store.desk.approve(ALL, "ada", "it is ours")
        crew = await lab.group("Crew", bob)
        await lab.run()
        await lab.patch(Kind.GROUP, crew, add(root), remove(bob))
        await lab.run()

        assert lab.roster("Crew") == set()
        await lab.store.desk.approve(ALL, "ada", "fine")
        await lab.run()
        assert lab.roster("Crew") == {"root@example.com"}


async def test_a_rejected_creation_is_gone_for_the_identity_provider_with_the_reason(guarded):
    async with guarded(protected_users=("root@example.com",)) as lab:
        root = await lab.user("root@example.com")
        await lab.store.desk.reject(ALL, "ada", "it is a recovery account")
        await lab.run()

        assert await lab.shadow(Kind.USER, root) is None
        why = await lab.store.directory.why_missing(Kind.USER, root)
        assert "recovery account" in why["detail"]
        assert (await lab.counters())["dropped"] == 1


async def test_holds_and_the_ledger_survive_a_restart(tmp_path):
    async with lab_in(tmp_path, guard=policy(deactivations=2)) as lab:
        people = await lab.users(4)
        await lab.run()
        await off(lab, *people[:2])
        await lab.run()
        tfe, clock = lab.tfe, lab.clock
    async with lab_in(tmp_path, tfe, clock, guard=policy(deactivations=2)) as lab:
        await off(lab, people[2])
        await lab.run()
        assert len(inactive(lab)) == 2
    async with lab_in(tmp_path, tfe, clock, guard=policy(deactivations=2)) as lab:
        await lab.run()
        assert (await lab.store.snapshot()).held == 1
        await lab.store.desk.approve(ALL, "ada", "yes")
        await lab.run()
        assert len(inactive(lab)) == 3


async def test_a_membership_is_sent_once_the_held_deletion_of_its_user_was_rejected(guarded):
    async with guarded(deletions=1) as lab:
        people = await lab.users(4)
        crew = await lab.group("Crew")
        await lab.run()
        added = await lab.patch(Kind.GROUP, crew, add(people[0]))
        for one in people[:3]:
            await lab.delete(Kind.USER, one)
        await lab.run(within_s=60)
        await lab.store.desk.reject(ALL, "ada", "a mistake")
        await lab.run(within_s=60)

        assert lab.roster("Crew") == {"user00000@example.com"}
        assert await lab.state(added.change) == "delivered"


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_rejected_deletion_of_a_user_whose_creation_is_under_way_leaves_the_user(
    guarded, arrives
):
    async with guarded(protected_users=("cy@example.com",)) as lab:
        cy = await lab.user("cy@example.com")
        await lab.store.desk.approve(ALL, "ann", "fine")
        claim = await lab.claim()
        await lab.delete(Kind.USER, cy)
        await lab.store.desk.reject(ALL, "ann", "she stays")
        assert await lab.shadow(Kind.USER, cy) is not None
        if arrives:
            await lab.finish(claim, await lab.send(claim.request, str(claim.attempt)))
        else:
            await lab.finish(claim, MaybeSent("the connection was reset"))
        for _ in range(3):
            await lab.run()
            lab.clock.turn(100)

        assert lab.user_in_tfe("cy@example.com") is not None
        assert await lab.target(cy) is not None
        counters = await lab.counters()
        assert (counters["pending"], counters["parked"], counters["dropped"]) == (0, 0, 1)


async def test_a_rejected_deletion_of_a_group_whose_creation_is_under_way_leaves_its_members(
    guarded,
):
    async with guarded(protected_groups=("Crew",)) as lab:
        people = await lab.users(3)
        await lab.run()
        crew = await lab.group("Crew", *people[:2])
        await lab.store.desk.approve(ALL, "ann", "fine")
        lab.clock.turn(10)
        claim = await lab.claim()
        assert claim.request.creates
        await lab.patch(Kind.GROUP, crew, add(people[2]))
        await lab.delete(Kind.GROUP, crew)
        await lab.store.desk.reject(ALL, "ann", "it stays")
        await lab.finish(claim, await lab.send(claim.request, str(claim.attempt)))
        for _ in range(3):
            await lab.run()
            lab.clock.turn(100)
            await lab.store.desk.approve(ALL, "ann", "fine")

        assert len(lab.roster("Crew")) == len(await lab.members(crew))
        assert (await lab.counters())["pending"] == 0


async def test_a_change_rejected_in_part_ends_with_its_rest_while_a_creation_is_in_doubt(guarded):
    async with guarded(max_emptied=2) as lab:
        people = await lab.users(5)
        await lab.run()
        crew = await lab.group("Crew", *people[:3])
        lab.tfe.faults.add(Fault(kind=FaultKind.RESET_AFTER), Match(method="POST", count=1))
        await lab.run(most=1)
        removal = await lab.patch(Kind.GROUP, crew, *(remove(one) for one in people[:3]))
        await lab.patch(Kind.GROUP, crew, replace_members(*people[:2], people[3]))
        await lab.store.desk.reject(ALL, "ada", "a test")
        await lab.run()

        assert await lab.state(removal.change) == "delivered"
        assert (await lab.counters())["pending"] == 0


async def test_rejecting_a_rename_leaves_the_one_before_it_which_nobody_held(guarded):
    async with guarded(protected_groups=("Admins",)) as lab:
        crew = await lab.group("Crew")
        await lab.run()
        first = await lab.rename(crew, "Harmless")
        await lab.rename(crew, "Admins")
        await lab.store.desk.reject(ALL, "ada", "no")
        await lab.run()
        assert (await lab.shadow(Kind.GROUP, crew))["displayName"] == "Harmless"
        assert lab.roster("Harmless") == set()
        assert await lab.state(first.change) == "delivered"


async def test_a_trip_ends_when_what_it_held_is_gone_from_tfe(guarded):
    async with guarded(deletions=1) as lab:
        people = await lab.users(3)
        await lab.run()
        for one in people[:2]:
            await lab.delete(Kind.USER, one)
        assert (await lab.store.snapshot()).held == 2
        for one in people[:2]:
            lab.tfe.directory.delete_user(await lab.target(one))
        for one in people[:2]:
            await lab.store.run(lambda tx, one=one: absent(tx, row_of(tx, one)))
        assert await lab.store.run(lambda tx: tx.all("SELECT connection FROM trip")) == []


def row_of(tx, identifier):
    return tx.value("SELECT resource FROM alias WHERE id = ?", (identifier,))
