"""What TFE refuses for good is taken apart, and only the guilty change is parked (S1, S5, S7)."""

import asyncio
import math
from dataclasses import replace

import pytest
from support.idp import add, deactivate, group, patch_body, remove, user

from relay.errors import ParkedBefore, Refused
from relay.rules import dialect
from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.deliver.claiming import Idle


def refuse(lab, status=400, detail="not that", **match):
    return lab.tfe.faults.add(
        Fault(kind=FaultKind.STATUS, status=status, detail=detail), Match(count=None, **match)
    )


async def test_a_parked_rename_leaves_the_changes_on_top_of_it_delivered(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    refuse(lab, method="PATCH", body="byron")

    renamed = await lab.edit(ada, userName="byron@example.com")
    moved = await lab.edit(ada, externalId="a-2")
    await lab.run()

    assert await lab.state(renamed.change) == "parked"
    assert await lab.state(moved.change) == "delivered"
    assert lab.user_in_tfe("ada@example.com").external_id == "a-2"
    shadow = await lab.shadow(Kind.USER, ada)
    assert (shadow["userName"], shadow["externalId"]) == ("ada@example.com", "a-2")


async def test_a_parked_rename_returns_to_the_accepted_rename_before_it(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    refuse(lab, method="PATCH", body="byron")

    first = await lab.edit(ada, userName="lovelace@example.com")
    second = await lab.edit(ada, userName="byron@example.com")
    await lab.run()

    assert await lab.state(first.change) == "delivered"
    assert await lab.state(second.change) == "parked"
    assert lab.user_in_tfe("lovelace@example.com") is not None
    assert (await lab.shadow(Kind.USER, ada))["userName"] == "lovelace@example.com"


async def test_one_bad_member_among_200_is_found_with_few_requests_and_the_rest_is_delivered(lab):
    users = await lab.users(200)
    crew = await lab.group("Engineering")
    await lab.run()
    bad = users[137]
    refuse(lab, method="PATCH", body=await lab.target(bad))

    changes = [await lab.patch(Kind.GROUP, crew, add(one)) for one in users]
    before = len(lab.sent)
    await lab.run()

    assert len(lab.roster("Engineering")) == 199
    assert [await lab.state(one.change) for one in changes].count("delivered") == 199
    assert await lab.state(changes[137].change) == "parked"
    assert await lab.members(crew) == set(users) - {bad}
    assert len(lab.sent) - before - 1 <= 2 * math.log2(200) + 2


async def test_members_added_at_once_with_a_bad_one_are_delivered_without_it(lab):
    users = await lab.users(10)
    crew = await lab.group("Engineering")
    await lab.run()
    refuse(lab, method="PATCH", body=await lab.target(users[3]))

    accepted = await lab.patch(Kind.GROUP, crew, add(*users))
    await lab.run()

    assert len(lab.roster("Engineering")) == 9
    assert await lab.members(crew) == set(users) - {users[3]}
    assert await lab.state(accepted.change) == "parked"


async def test_a_group_whose_creation_names_a_refused_member_is_created_without_it(lab):
    users = await lab.users(4)
    await lab.run()
    refuse(lab, body=await lab.target(users[1]))

    crew = await lab.group("Engineering", *users)
    await lab.run()

    assert len(lab.roster("Engineering")) == 3
    assert await lab.members(crew) == set(users) - {users[1]}


async def test_a_parked_creation_is_absent_and_says_why(lab):
    refuse(lab, detail="no such domain", body="ada")
    ada = await lab.user("ada@example.com")
    await lab.run()

    assert await lab.shadow(Kind.USER, ada) is None
    reason = await lab.store.directory.why_missing(Kind.USER, ada)
    assert (reason["status"], reason["detail"]) == (400, "no such domain")
    with pytest.raises(Refused) as refused:
        await lab.edit(ada, externalId="x")
    assert refused.value.status == 404
    assert "no such domain" in refused.value.detail


async def test_the_repeated_post_of_a_parked_creation_hears_tfe_once_and_then_revives_it(lab):
    rule = refuse(lab, status=400, detail="no such domain", body="ada")
    ada = await lab.user("ada@example.com")
    await lab.run()

    with pytest.raises(ParkedBefore) as told:
        await lab.user("ada@example.com")
    lab.tfe.faults.remove(rule.ident)
    again = await lab.user("ada@example.com")
    await lab.run()

    assert (told.value.status, told.value.detail) == (400, "no such domain")
    assert again == ada
    assert lab.user_in_tfe("ada@example.com") is not None
    assert await lab.counters() == {
        **(await lab.counters()),
        "accepted": 2,
        "parked": 1,
        "delivered": 1,
        "pending": 0,
    }


async def test_another_post_of_a_parked_name_revives_it_under_the_same_id_at_once(lab):
    rule = refuse(lab, body="ada")
    ada = await lab.user("ada@example.com", externalId="a-1")
    await lab.run()
    lab.tfe.faults.remove(rule.ident)

    by_name = await lab.user("ADA@example.com", externalId="a-2")

    assert by_name == ada


async def test_the_refused_value_is_refused_again_in_tfes_words_once(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    rule = refuse(lab, detail="reserved", method="PATCH", body="byron")
    await lab.edit(ada, userName="byron@example.com")
    await lab.run()
    lab.tfe.faults.remove(rule.ident)

    with pytest.raises(ParkedBefore) as told:
        await lab.edit(ada, userName="byron@example.com")
    await lab.edit(ada, userName="byron@example.com")
    await lab.run()

    assert (told.value.status, told.value.detail) == (400, "reserved")
    assert lab.user_in_tfe("byron@example.com") is not None


async def test_a_member_whose_creation_was_parked_is_left_out_and_added_when_it_exists(lab):
    rule = refuse(lab, body="ada@")
    ada, bob = await lab.user("ada@example.com"), await lab.user("bob@example.com")
    crew = await lab.group("Engineering", ada, bob)
    await lab.run()
    assert lab.roster("Engineering") == {"bob@example.com"}
    assert await lab.members(crew) == {bob}

    lab.tfe.faults.remove(rule.ident)
    await lab.user("ada@example.com", externalId="another")
    await lab.run()

    assert lab.roster("Engineering") == {"ada@example.com", "bob@example.com"}
    assert await lab.members(crew) == {ada, bob}
    assert (await lab.counters())["pending"] == 0


@pytest.mark.parametrize("status", [400, 409, 413, 422, 501])
async def test_a_refused_revocation_stays_owed_while_others_flow(lab, status):
    ada, bob = await lab.user("ada@example.com"), await lab.user("bob@example.com")
    await lab.run()
    rule = refuse(lab, status=status, method="PATCH", path=await lab.target(ada))

    revoked = await lab.patch(Kind.USER, ada, deactivate())
    moved = await lab.edit(ada, externalId="a-2")
    other = await lab.patch(Kind.USER, bob, deactivate())
    await lab.run(within_s=600)

    assert await lab.state(revoked.change) == "pending"
    assert await lab.state(other.change) == "delivered"
    assert await lab.state(moved.change) in ("parked", "pending")
    assert (await lab.store.snapshot()).owed == 1
    assert (await lab.shadow(Kind.USER, ada))["active"] is False
    tries = [one for one in lab.sent if one.verdict.status == status]
    assert 3 <= len(tries) <= 30

    lab.tfe.faults.remove(rule.ident)
    await lab.run(within_s=2_000)
    assert lab.user_in_tfe("ada@example.com").active is False
    assert (await lab.store.snapshot()).owed == 0


async def test_a_refused_removal_of_one_member_does_not_hold_up_the_others(lab):
    users = await lab.users(8)
    crew = await lab.group("Engineering", *users)
    await lab.run()
    refuse(lab, method="PATCH", body=await lab.target(users[5]))

    for one in users:
        await lab.patch(Kind.GROUP, crew, remove(one))
    await lab.run()

    assert lab.roster("Engineering") == {"user00005@example.com"}
    assert (await lab.store.snapshot()).owed == 1
    assert await lab.members(crew) == set()


async def test_a_refusal_that_reaches_a_waiting_client_is_rolled_back_and_not_parked(lab):
    refuse(lab, status=400, detail="no such domain", body="ada")
    accepted = await lab.accept(
        dialect.parse_create(Kind.USER, user("ada@example.com")), waits=True
    )
    assert accepted.wait
    await lab.run()

    settled = await lab.settlement(accepted.change)

    assert (settled.state, settled.status, settled.detail) == ("refused", 400, "no such domain")
    counters = await lab.counters()
    assert (counters["refused"], counters["parked"]) == (1, 0)
    assert await lab.user("ada@example.com", externalId="new") != accepted.resource.public_id


async def test_a_refusal_after_the_directory_answered_is_parked(lab):
    refuse(lab, body="ada")
    accepted = await lab.accept(
        dialect.parse_create(Kind.USER, user("ada@example.com")), waits=True
    )
    assert await lab.store.directory.answer_from_directory(accepted.change) is None
    await lab.run()

    assert await lab.state(accepted.change) == "parked"


async def test_a_refusal_whose_client_has_gone_is_parked(lab):
    refuse(lab, body="ada")
    accepted = await lab.accept(
        dialect.parse_create(Kind.USER, user("ada@example.com")), waits=True
    )
    await lab.store.directory.client_gone(accepted.change)
    await lab.run()

    assert await lab.state(accepted.change) == "parked"


async def test_a_live_refusal_of_an_edit_puts_back_what_was_there(lab):
    users = await lab.users(3)
    crew = await lab.group("Engineering", *users[:2])
    await lab.run()
    refuse(lab, method="PATCH")
    edit = dialect.parse_patch(
        Kind.GROUP,
        {
            "Operations": [
                {"op": "replace", "value": {"displayName": "R&D"}},
                add(users[2]),
            ]
        },
    )

    accepted = await lab.accept(edit, crew, waits=True)
    await lab.run()

    assert (await lab.settlement(accepted.change)).state == "refused"
    assert (await lab.shadow(Kind.GROUP, crew))["displayName"] == "Engineering"
    assert await lab.members(crew) == set(users[:2])
    assert await lab.run() == []


async def test_an_unknown_member_is_refused_before_anything_is_kept(lab):
    with pytest.raises(Refused) as refused:
        await lab.post(group("Engineering", "nobody"))

    assert refused.value.status == 404
    assert (await lab.counters())["accepted"] == 0


async def test_owed_removals_that_are_due_together_go_alone_and_each_backs_off(lab):
    people = await lab.users(3)
    crew = await lab.group("Engineering", *people)
    await lab.run()
    refused = Fault(kind=FaultKind.STATUS, status=400, detail="no")
    rule = lab.tfe.faults.add(refused, Match(method="PATCH", path="Groups", count=None))
    for one in people:
        await lab.patch(Kind.GROUP, crew, remove(one))
    await lab.run(within_s=30)
    lab.clock.turn(7_200)
    sent = [await lab.step() for _ in people]
    again = await lab.claim()

    assert [len(one.body["Operations"]) for one in sent] == [1, 1, 1]
    assert len({str(one.body) for one in sent}) == 3
    assert isinstance(again, Idle)
    lab.tfe.faults.remove(rule.ident)
    await lab.run(within_s=3_600)
    assert lab.roster("Engineering") == set()


async def test_a_waiting_client_hears_of_a_parked_addition_and_the_removal_stays_owed(lab):
    ada, bob = await lab.users(2)
    crew = await lab.group("Engineering", ada)
    await lab.run()
    rule = refuse(lab, method="PATCH", path="Groups")
    edit = dialect.parse_patch(Kind.GROUP, patch_body(remove(ada), add(bob)))
    accepted = await lab.accept(edit, crew, waits=True)
    waiting = asyncio.ensure_future(lab.settlement(accepted.change))
    await lab.counters()  # by now it waits
    await lab.run()
    async with asyncio.timeout(1):
        told = await waiting
    assert (told.state, told.status, told.detail) == ("parked", 400, "not that")
    assert (await lab.store.snapshot()).owed == 1

    lab.tfe.faults.remove(rule.ident)
    await lab.run(within_s=3_600)
    assert lab.roster("Engineering") == set()


async def drifted(lab, before, after):
    """Ada, whom somebody changed in TFE; then TFE fails, and refuses all that is sent of her."""
    ada, bob = await lab.users(2)
    await lab.edit(ada, **before)
    await lab.run()
    [found] = lab.tfe.directory.users.named("user00000@example.com")
    lab.tfe.directory.update_user(found, replace(found.fields, **after))
    await lab.edit(bob, externalId="b-1")
    await lab.run()
    hers = {"method": "PATCH", "path": await lab.target(ada)}
    failing = Fault(kind=FaultKind.STATUS, status=500, detail="oops")
    lab.tfe.faults.add(failing, Match(count=2, **hers))
    return ada, refuse(lab, status=422, **hers)


async def test_where_the_value_before_is_refused_as_well_tfes_word_stands(lab):
    ada, _ = await drifted(lab, {"externalId": "e-0"}, {"external_id": "theirs"})
    edited = await lab.edit(ada, externalId="e-1")
    sent = await lab.run(most=50, within_s=60)

    assert len(sent) <= 6
    assert await lab.state(edited.change) == "parked"
    assert (await lab.shadow(Kind.USER, ada))["externalId"] == "theirs"
    assert await lab.store.run(lambda tx: tx.all("SELECT * FROM lane")) == []


async def test_where_that_would_give_access_back_it_is_owed(lab):
    ada, refusal = await drifted(lab, {"active": False}, {"active": True})
    edited = await lab.edit(ada, active=True)
    sent = await lab.run(most=50, within_s=60)

    assert len(sent) <= 10
    assert await lab.state(edited.change) == "parked"
    assert (await lab.shadow(Kind.USER, ada))["active"] is False
    lab.tfe.faults.remove(refusal.ident)
    await lab.run(within_s=1_000)
    assert lab.user_in_tfe("user00000@example.com").active is False
