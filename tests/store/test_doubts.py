"""What may have happened is unknown until a definite answer or a read (K1, K2, K3, K4, D2)."""

from dataclasses import replace

import pytest
from support.idp import add, deactivate, remove
from support.lab import TIMEOUT_S, lab_in

from relay.rules.types import Kind
from relay.rules.verdict import Outcome
from relay.simulator.behaviour import Behaviour
from relay.simulator.faults import Fault, FaultKind, Match

AFTER = [FaultKind.RESET_AFTER, FaultKind.CUT, FaultKind.GARBAGE, FaultKind.STATUS_AFTER]
BEFORE = [FaultKind.RESET_BEFORE, FaultKind.STATUS]


def lines(sent):
    return [
        one.line.partition(" /")[0] + " /" + one.path.split("/")[1].split("?")[0] for one in sent
    ]


@pytest.mark.parametrize("kind", AFTER)
@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_create_that_took_effect_without_an_answer_is_found_and_not_repeated(
    lab, kind, status
):
    lab.tfe.faults.add(Fault(kind=kind, status=status), Match(method="POST"))
    ada = await lab.user("ada@example.com", externalId="a-1")

    sent = await lab.run(within_s=60)

    assert lines(sent) == ["POST /Users", "GET /Users"]
    assert lab.user_in_tfe("ada@example.com") is not None
    assert (await lab.target(ada)) in {one.stamp.id for one in lab.tfe.directory.users}
    assert (await lab.counters())["delivered"] == 1


@pytest.mark.parametrize("kind", BEFORE)
async def test_a_create_that_had_no_effect_is_looked_up_and_sent_again(lab, kind):
    lab.tfe.faults.add(Fault(kind=kind, status=502), Match(method="POST"))
    await lab.user("ada@example.com")

    sent = await lab.run(within_s=60)

    assert lines(sent) == ["POST /Users", "GET /Users", "POST /Users"]
    assert lab.user_in_tfe("ada@example.com") is not None


async def test_a_create_in_doubt_is_looked_up_by_external_id_if_its_name_is_not_found(lab):
    lab.tfe.faults.add(Fault(kind=FaultKind.RESET_BEFORE), Match(method="POST"))
    await lab.user("ada@example.com", externalId="a-1")

    sent = await lab.run(within_s=60)

    assert lines(sent) == ["POST /Users", "GET /Users", "GET /Users", "POST /Users"]


async def test_a_found_object_of_another_name_is_not_used_although_the_filter_named_it(lab):
    bob = await lab.user("bob@example.com")
    await lab.run()
    lab.tfe.behave(Behaviour(ignore_filters=True))
    lab.tfe.faults.add(Fault(kind=FaultKind.RESET_BEFORE), Match(method="POST"))
    ada = await lab.user("ada@example.com")

    await lab.run(within_s=60)

    assert await lab.target(ada) not in (None, await lab.target(bob))
    assert len(lab.tfe.directory.users) == 2


async def test_an_edit_in_doubt_is_sent_although_the_difference_looks_empty(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    lab.tfe.faults.add(Fault(kind=FaultKind.RESET_AFTER), Match(method="PATCH"))
    await lab.patch(Kind.USER, ada, deactivate())
    await lab.step()
    assert lab.user_in_tfe("ada@example.com").active is False

    await lab.edit(ada, active=True)
    await lab.run()

    assert lab.user_in_tfe("ada@example.com").active is True
    assert (await lab.counters())["pending"] == 0


async def test_a_membership_in_doubt_is_sent_although_the_difference_looks_empty(lab):
    ada = await lab.user("ada@example.com")
    crew = await lab.group("Engineering")
    await lab.run()
    lab.tfe.faults.add(Fault(kind=FaultKind.CUT), Match(method="PATCH"))
    await lab.patch(Kind.GROUP, crew, add(ada))
    lab.clock.turn(1)
    await lab.step()
    assert lab.roster("Engineering") == {"ada@example.com"}

    await lab.patch(Kind.GROUP, crew, remove(ada))
    await lab.run()

    assert lab.roster("Engineering") == set()
    assert (await lab.counters())["pending"] == 0


async def test_a_request_that_takes_effect_after_a_later_one_is_found_by_a_verifying_read(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    lab.tfe.faults.add(Fault(kind=FaultKind.SLOW_BEFORE), Match(method="PATCH"))
    await lab.patch(Kind.USER, ada, deactivate())
    await lab.step()
    await lab.edit(ada, active=True)
    await lab.run()
    assert lab.user_in_tfe("ada@example.com").active is True

    await lab.late_requests_end()
    assert lab.user_in_tfe("ada@example.com").active is False
    early = await lab.run(within_s=TIMEOUT_S - 5)
    later = await lab.run(within_s=120)

    assert "GET /Users" not in lines(early)
    assert lines(later)[0] == "GET /Users"
    assert lab.user_in_tfe("ada@example.com").active is True


def _unsuspend(lab, name):
    """Somebody lets a user in again, in TFE itself."""
    [found] = lab.tfe.directory.users.named(name)
    lab.tfe.directory.update_user(found, replace(found.fields, active=True))


async def test_a_repeated_revocation_is_sent_again_when_tfes_word_is_over_five_minutes_old(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    await lab.patch(Kind.USER, ada, deactivate())
    await lab.run()
    _unsuspend(lab, "ada@example.com")

    lab.clock.turn(200)
    soon = await lab.patch(Kind.USER, ada, deactivate())
    assert await lab.run() == []
    assert await lab.state(soon.change) == "delivered"
    lab.clock.turn(200)
    later = await lab.patch(Kind.USER, ada, deactivate())
    await lab.run()

    assert lab.user_in_tfe("ada@example.com").active is False
    assert await lab.state(later.change) == "delivered"


async def test_a_user_whom_the_answer_to_an_edit_shows_as_active_is_suspended_again(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    await lab.patch(Kind.USER, ada, deactivate())
    await lab.run()
    _unsuspend(lab, "ada@example.com")

    await lab.edit(ada, externalId="a-2")
    sent = await lab.run()

    assert lines(sent) == ["PATCH /Users", "PATCH /Users"]
    assert lab.user_in_tfe("ada@example.com").active is False


async def test_a_repeated_revocation_is_sent_again_although_another_key_was_confirmed_lately(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    await lab.patch(Kind.USER, ada, deactivate())
    await lab.run()
    lab.clock.turn(400)
    edit = await lab.edit(ada, externalId="a-2")
    editing = await lab.claim()
    answer = await lab.send(editing.request)
    silent = {name: value for name, value in answer.body.items() if name != "active"}
    await lab.finish(editing, replace(answer, body=silent))
    _unsuspend(lab, "ada@example.com")
    later = await lab.patch(Kind.USER, ada, deactivate())
    await lab.run()

    assert lab.user_in_tfe("ada@example.com").active is False
    assert await lab.state(edit.change) == "delivered"
    assert await lab.state(later.change) == "delivered"


async def _join(lab, name, *people):
    """Somebody puts users into a group, in TFE itself."""
    [found] = lab.tfe.directory.groups.named(name)
    members = dict.fromkeys([await lab.target(one) for one in people])
    lab.tfe.directory.update_group(found, replace(found.fields, members=members))


async def test_a_repeated_removal_is_sent_again_when_tfes_word_is_over_five_minutes_old(lab):
    ada, bob = await lab.users(2)
    crew = await lab.group("Engineering", ada)
    await lab.run()
    await lab.patch(Kind.GROUP, crew, remove(ada))
    await lab.run()
    soon = await lab.patch(Kind.GROUP, crew, remove(ada))
    assert await lab.run() == []
    assert await lab.state(soon.change) == "delivered"

    lab.clock.turn(400)
    await lab.patch(Kind.GROUP, crew, add(bob))
    await lab.run()  # TFE's word on Bob is none on Ada
    await _join(lab, "Engineering", ada, bob)
    later = await lab.patch(Kind.GROUP, crew, remove(ada))
    sent = await lab.run()

    assert lines(sent) == ["PATCH /Groups"]
    assert lab.roster("Engineering") == {"user00001@example.com"}
    assert await lab.state(later.change) == "delivered"
    assert await lab.store.run(lambda tx: tx.value("SELECT count(*) FROM effect")) == 0


async def test_a_repeated_removal_is_not_forgotten_for_an_addition_that_is_undone(lab):
    [ada] = await lab.users(1)
    crew = await lab.group("Engineering")
    await lab.run()
    lab.clock.turn(400)
    await _join(lab, "Engineering", ada)

    for edit in (remove(ada), add(ada), remove(ada)):
        await lab.patch(Kind.GROUP, crew, edit)
    sent = await lab.run()

    assert lines(sent) == ["PATCH /Groups"]
    assert lab.roster("Engineering") == set()
    assert (await lab.counters())["pending"] == 0


async def test_a_repeated_reactivation_is_not_a_revocation_and_costs_nothing(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    lab.clock.turn(10_000)
    await lab.edit(ada, active=True)

    assert await lab.run() == []


async def test_a_conflict_on_a_create_adopts_who_has_the_name_and_takes_tfes_word(lab):
    there = lab.tfe.directory.create_user(_fields("ada@example.com", external_id="old"))
    ada = await lab.user("ada@example.com", externalId="new")

    sent = await lab.run()

    assert lines(sent) == ["POST /Users", "GET /Users", "PATCH /Users"]
    assert await lab.target(ada) == there.stamp.id
    assert lab.user_in_tfe("ada@example.com").external_id == "new"
    assert (await lab.counters())["delivered"] == 1


async def test_a_conflict_with_a_resource_of_ours_parks_the_create(lab):
    first = await lab.group("one")
    await lab.run()
    await lab.store.run(
        lambda tx: tx.run("UPDATE resource SET name = 'x', name_key = 'x', c_name_key = 'x'")
    )

    second = await lab.group("one")
    await lab.run(within_s=600)

    assert await lab.target(first) is not None
    assert await lab.shadow(Kind.GROUP, second) is None
    assert (await lab.counters())["parked"] == 1


async def test_a_create_whose_conflict_is_gone_by_the_time_of_the_look_up_is_sent_again(lab):
    taken = Fault(kind=FaultKind.STATUS, status=409, detail="taken", scim_type="uniqueness")
    lab.tfe.faults.add(taken, Match(method="POST"))
    await lab.user("ada@example.com")

    sent = await lab.run(within_s=60)

    assert lines(sent) == ["POST /Users", "GET /Users", "POST /Users"]
    assert lab.user_in_tfe("ada@example.com") is not None
    assert (await lab.counters())["delivered"] == 1


async def test_a_conflict_whose_holder_no_look_up_finds_is_parked_after_a_few_tries(lab):
    lab.tfe.faults.add(
        Fault(kind=FaultKind.STATUS, status=409, detail="taken", scim_type="uniqueness"),
        Match(method="POST", count=None),
    )
    ada = await lab.user("ada@example.com")

    sent = await lab.run(within_s=3_600)

    assert await lab.shadow(Kind.USER, ada) is None
    assert (await lab.store.directory.why_missing(Kind.USER, ada))["detail"] == "taken"
    assert len(sent) <= 6


async def test_a_create_that_is_always_a_500_while_others_succeed_is_parked_after_one_repetition(
    lab,
):
    await lab.user("bob@example.com")
    await lab.run()
    lab.tfe.faults.add(
        Fault(kind=FaultKind.STATUS, status=500), Match(method="POST", body="ada", count=None)
    )
    await lab.user("ada@example.com")

    sent = await lab.run(within_s=50)

    assert lines(sent).count("POST /Users") == 2
    assert (await lab.counters())["parked"] == 1


async def test_an_edit_that_is_always_a_500_while_others_succeed_is_parked_and_read_back(lab):
    ada, bob = await lab.user("ada@example.com"), await lab.user("bob@example.com")
    await lab.run()
    lab.tfe.faults.add(
        Fault(kind=FaultKind.STATUS, status=500),
        Match(method="PATCH", path=await lab.target(ada), count=None),
    )
    changed = await lab.edit(ada, externalId="a-2")
    await lab.edit(bob, externalId="b-2")

    sent = await lab.run(within_s=50)

    assert lines(sent).count("PATCH /Users") == 3
    assert await lab.state(changed.change) == "parked"
    assert "externalId" not in await lab.shadow(Kind.USER, ada)
    assert (await lab.counters())["pending"] == 0
    assert lines(await lab.run(within_s=600)) == ["GET /Users"]  # when nothing is late any more
    assert await lab.run(within_s=600) == []


async def test_a_revocation_that_is_always_a_500_is_owed_and_not_parked(lab):
    ada, bob = await lab.user("ada@example.com"), await lab.user("bob@example.com")
    await lab.run()
    rule = lab.tfe.faults.add(
        Fault(kind=FaultKind.STATUS, status=500),
        Match(method="PATCH", path=await lab.target(ada), count=None),
    )
    revoked = await lab.patch(Kind.USER, ada, deactivate())
    await lab.edit(bob, externalId="b-2")
    await lab.run(within_s=20)
    assert await lab.state(revoked.change) == "pending"

    lab.tfe.faults.remove(rule.ident)
    await lab.run(within_s=3_600)

    assert await lab.state(revoked.change) == "delivered"
    assert lab.user_in_tfe("ada@example.com").active is False


async def test_a_lone_lane_whose_500s_nobody_contradicts_is_kept_and_tried_ever_more_seldom(lab):
    lab.tfe.faults.add(Fault(kind=FaultKind.STATUS, status=500), Match(method="POST", count=None))
    await lab.user("ada@example.com")

    sent = await lab.run(within_s=7_200)

    assert (await lab.counters())["pending"] == 1
    assert 10 <= lines(sent).count("POST /Users") <= 100


async def test_a_lost_bound_user_is_created_again_and_rejoins_its_groups(lab):
    ada, bob = await lab.user("ada@example.com"), await lab.user("bob@example.com")
    crew = await lab.group("Engineering", ada, bob)
    await lab.run()
    lab.tfe.directory.delete_user(await lab.target(ada))

    await lab.edit(ada, externalId="a-2")
    await lab.run()

    assert lab.user_in_tfe("ada@example.com").external_id == "a-2"
    assert lab.roster("Engineering") == {"ada@example.com", "bob@example.com"}
    assert await lab.members(crew) == {ada, bob}
    assert (await lab.counters())["pending"] == 0


async def test_a_lost_bound_group_is_created_again_with_its_members(lab):
    users = await lab.users(3)
    crew = await lab.group("Engineering", *users)
    await lab.run()
    lab.tfe.directory.delete_group(await lab.target(crew))

    await lab.rename(crew, "R&D")
    await lab.run()

    assert len(lab.roster("R&D")) == 3
    assert await lab.members(crew) == set(users)


async def test_a_deletion_of_what_tfe_lost_is_done(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    lab.tfe.directory.delete_user(await lab.target(ada))

    deleted = await lab.delete(Kind.USER, ada)
    await lab.run()

    assert await lab.state(deleted.change) == "delivered"


async def test_a_suspension_of_what_tfe_lost_creates_it_suspended(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    lab.tfe.directory.delete_user(await lab.target(ada))

    revoked = await lab.patch(Kind.USER, ada, deactivate())
    await lab.run()

    assert lab.user_in_tfe("ada@example.com").active is False
    assert await lab.state(revoked.change) == "delivered"


async def test_a_group_plan_that_a_deletion_overtook_is_planned_again_and_parks_nobody(lab):
    users = await lab.users(3)
    crew = await lab.group("Engineering")
    await lab.run()
    await lab.patch(Kind.GROUP, crew, add(*users))
    lab.clock.turn(1)
    claim = await lab.claim()
    await lab.delete(Kind.USER, users[1])
    lab.tfe.directory.delete_user(await lab.target(users[1]))

    sent = await lab.finish(claim, await lab.send(claim.request))
    await lab.run()

    assert sent.verdict.outcome is Outcome.MISSING
    assert len(lab.roster("Engineering")) == 2
    counters = await lab.counters()
    assert (counters["parked"], counters["pending"]) == (0, 0)


async def test_what_was_in_flight_at_a_death_is_looked_up_after_it(tmp_path):
    async with lab_in(tmp_path) as lab:
        await lab.user("ada@example.com")
        claim = await lab.claim()
        await lab.send(claim.request)
    async with lab_in(tmp_path, lab.tfe, lab.clock) as again:
        sent = await again.run()

        assert lines(sent) == ["GET /Users"]
        assert (await again.counters())["delivered"] == 1
    assert len(lab.tfe.directory.users) == 1


async def test_a_change_that_was_in_flight_at_three_deaths_is_parked(tmp_path):
    async with lab_in(tmp_path) as lab:
        await lab.user("ada@example.com")
    for _ in range(3):
        async with lab_in(tmp_path, lab.tfe, lab.clock) as dying:
            claim = await dying.claim()
            while claim.request.method == "GET":
                await dying.finish(claim, await dying.send(claim.request))
                claim = await dying.claim()
    async with lab_in(tmp_path, lab.tfe, lab.clock) as last:
        await last.run()

        assert (await last.counters())["parked"] == 1


def _fields(name, **more):
    from relay.simulator.records import UserFields

    return UserFields(
        **{"user_name": name, "email": name, "external_id": None, "active": True, **more}
    )


async def test_every_change_of_a_user_whom_tfe_lost_is_delivered_by_its_creation(tmp_path):
    async with lab_in(tmp_path) as lab:
        ada, _bob = await lab.user("ada@example.com"), await lab.user("bob@example.com")
        await lab.run()
        lab.tfe.directory.delete_user(await lab.target(ada))
        changes = [
            await lab.edit(ada, externalId="e1"),
            await lab.edit(ada, active=False),
            await lab.edit(ada, userName="ada2@example.com"),
        ]
        await lab.run()
        assert [await lab.state(one.change) for one in changes] == ["delivered"] * 3
        assert (await lab.counters())["pending"] == 0
        assert lab.user_in_tfe("ada2@example.com").active is False


async def test_a_creation_in_doubt_is_not_taken_for_another_of_the_same_external_id(tmp_path):
    async with lab_in(tmp_path) as lab:
        await lab.user("ada@example.com", externalId="e1")
        await lab.run()
        await lab.user("bob@example.com", externalId="e1")
        claim = await lab.claim()
        assert claim.request.method == "POST"  # the relay dies before it leaves
    async with lab_in(tmp_path, lab.tfe, lab.clock) as again:
        sent = await again.run(most=20)

        assert lines(sent) == ["GET /Users", "GET /Users", "POST /Users"]
        assert len(again.tfe.directory.users) == 2
        assert (await again.counters())["parked"] == 0
