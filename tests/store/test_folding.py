"""Folding: what is accepted while nothing is sent costs the fewest legal requests (D5)."""

from support.idp import add, deactivate, remove

from relay.rules.types import Kind


async def test_a_thousand_patches_of_one_member_each_are_one_request(lab):
    users = await lab.users(1_000)
    await lab.run()
    group = await lab.group("Engineering")
    await lab.run()

    before = len(lab.sent)
    for user in users:
        await lab.patch(Kind.GROUP, group, add(user))
    await lab.run()

    assert len(lab.sent) - before == 1
    assert len(lab.roster("Engineering")) == 1_000
    assert (await lab.counters())["delivered"] == 2_001


async def test_a_creation_and_its_ten_edits_are_one_request(lab):
    user = await lab.user("ada@example.com")
    for number in range(10):
        await lab.edit(user, externalId=f"e-{number}")

    sent = await lab.run()

    assert [one.line for one in sent] == ["POST /Users"]
    assert lab.user_in_tfe("ada@example.com").external_id == "e-9"
    assert (await lab.counters())["delivered"] == 11


async def test_a_creation_and_a_suspension_are_one_post_of_a_suspended_user(lab):
    user = await lab.user("ada@example.com")
    await lab.patch(Kind.USER, user, deactivate())

    sent = await lab.run()

    assert [one.line for one in sent] == ["POST /Users"]
    assert lab.user_in_tfe("ada@example.com").active is False


async def test_a_group_is_created_with_its_members_in_one_request_after_theirs(lab):
    users = await lab.users(20)
    await lab.group("Engineering", *users)

    sent = await lab.run()

    assert [one.line for one in sent] == ["POST /Users"] * 20 + ["POST /Groups"]
    assert len(lab.roster("Engineering")) == 20


async def test_adding_and_removing_a_member_is_nothing(lab):
    user = await lab.user("ada@example.com")
    group = await lab.group("Engineering")
    await lab.run()

    added = await lab.patch(Kind.GROUP, group, add(user))
    removed = await lab.patch(Kind.GROUP, group, remove(user))

    assert await lab.run() == []
    assert await lab.state(added.change) == "delivered"
    assert await lab.state(removed.change) == "delivered"


async def test_removing_and_adding_a_member_again_is_nothing(lab):
    user = await lab.user("ada@example.com")
    group = await lab.group("Engineering", user)
    await lab.run()

    await lab.patch(Kind.GROUP, group, remove(user))
    await lab.patch(Kind.GROUP, group, add(user))

    assert await lab.run() == []
    assert lab.roster("Engineering") == {"ada@example.com"}


async def test_250_removals_are_at_most_three_requests_and_take_off_nobody_else(lab):
    users = await lab.users(300)
    group = await lab.group("Engineering", *users)
    await lab.run()

    for user in users[:250]:
        await lab.patch(Kind.GROUP, group, remove(user))
    sent = await lab.run()

    assert len(sent) <= 3
    assert lab.roster("Engineering") == {
        f"user{number:05}@example.com" for number in range(250, 300)
    }


async def test_a_user_created_and_deleted_before_anything_was_sent_costs_nothing(lab):
    user = await lab.user("ada@example.com")
    await lab.delete(Kind.USER, user)

    assert await lab.run() == []
    assert (await lab.counters())["delivered"] == 2


async def test_a_group_rests_250_ms_after_its_last_change(lab):
    users = await lab.users(2)
    group = await lab.group("Engineering")
    await lab.run()

    await lab.patch(Kind.GROUP, group, add(users[0]))
    lab.clock.turn(0.2)
    await lab.patch(Kind.GROUP, group, add(users[1]))
    lab.clock.turn(0.2)
    assert await lab.run(within_s=0) == []
    lab.clock.turn(0.06)

    assert len(await lab.run(within_s=0)) == 1
    assert len(lab.roster("Engineering")) == 2


async def test_a_group_that_is_changed_all_the_time_is_sent_after_five_seconds(lab):
    users = await lab.users(100)
    group = await lab.group("Engineering")
    await lab.run()
    before = lab.clock.now_s

    for user in users:
        await lab.patch(Kind.GROUP, group, add(user))
        lab.clock.turn(0.1)
        if await lab.run(within_s=0):
            break

    assert 4.9 <= lab.clock.now_s - before <= 5.3


async def test_a_revocation_ends_the_rest_of_its_group(lab):
    user = await lab.user("ada@example.com")
    group = await lab.group("Engineering", user)
    await lab.run()

    await lab.patch(Kind.GROUP, group, remove(user))

    assert len(await lab.run(within_s=0)) == 1
    assert lab.roster("Engineering") == set()


async def test_a_change_that_changes_nothing_is_delivered_without_a_request(lab):
    user = await lab.user("ada@example.com")
    await lab.run()

    accepted = await lab.edit(user, active=True)

    assert await lab.run() == []
    assert await lab.state(accepted.change) == "delivered"


async def test_a_change_that_undoes_one_key_is_not_delivered_before_its_others(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    renamed = await lab.edit(ada, userName="countess@example.com")
    both = await lab.edit(ada, userName="ada@example.com", active=False)

    assert await lab.state(renamed.change) == "delivered"
    assert await lab.state(both.change) == "pending"
    await lab.run()
    assert await lab.state(both.change) == "delivered"
    assert not lab.user_in_tfe("ada@example.com").active


async def test_a_request_carries_the_reason_of_its_plan(lab):
    people = await lab.users(3)
    await lab.run()
    crew = await lab.group("Crew", *people[:2])
    await lab.run()
    await lab.patch(Kind.GROUP, crew, remove(people[0]), add(people[2]))
    [sending] = await lab.run()

    assert sending.claim.why == "0 fields, 1 removals, 1 additions in 1 request"
    shown = await lab.store.change(sending.claim.through)
    assert shown is not None
    assert shown["attempts"][0]["why"] == sending.claim.why
