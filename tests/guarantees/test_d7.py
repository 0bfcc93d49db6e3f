"""D7: new work is not starved by backlog, nor backlog by new work; revocations overtake all (H2)."""

from support.idp import deactivate, remove

from relay.rules.types import Kind


def lines(lab, before):
    return [one.line for one in lab.sent[before:]]


async def test_an_offboarding_behind_a_backlog_is_the_next_request(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    await lab.users(300)
    await lab.patch(Kind.USER, ada, deactivate())
    before = len(lab.sent)
    await lab.run(most=1)

    assert lines(lab, before) == [f"PATCH /Users/{await lab.target(ada)}"]


async def test_deletions_and_removals_overtake_as_well(lab):
    ada, bob = await lab.user("ada@example.com"), await lab.user("bob@example.com")
    crew = await lab.group("Crew", ada)
    await lab.run()
    await lab.users(50)
    await lab.patch(Kind.GROUP, crew, remove(ada))
    await lab.delete(Kind.USER, bob)
    targets = await lab.target(crew), await lab.target(bob)
    before = len(lab.sent)
    await lab.run(most=2)

    assert lines(lab, before) == [f"PATCH /Groups/{targets[0]}", f"DELETE /Users/{targets[1]}"]


async def test_one_slot_in_ten_goes_to_the_oldest_other_lane(lab):
    people = await lab.users(60)
    await lab.run()
    await lab.users(10, "new")
    for one in people:
        await lab.patch(Kind.USER, one, deactivate())
    before = len(lab.sent)
    await lab.run(most=40)

    created = [line == "POST /Users" for line in lines(lab, before)]
    assert sum(created) == 4
    assert all(any(created[start : start + 10]) for start in range(0, 31, 10))


async def test_otherwise_the_oldest_lane_goes_first(lab):
    await lab.users(30)
    await lab.run()
    names = [one.body["userName"] for one in lab.sent]
    assert names == sorted(names)


async def test_a_create_that_is_deactivated_at_once_is_not_urgent(lab):
    await lab.users(5)
    late = await lab.user("late@example.com")
    await lab.patch(Kind.USER, late, deactivate())
    await lab.run()
    assert [one.body["userName"] for one in lab.sent][-1] == "late@example.com"
    assert lab.sent[-1].body["active"] is False


async def test_nothing_is_owed_of_a_user_whom_tfe_never_had(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    late = await lab.user("late@example.com")
    await lab.patch(Kind.USER, late, deactivate())
    nothing = await lab.store.snapshot()
    await lab.patch(Kind.USER, ada, deactivate())

    assert (nothing.owed, nothing.oldest_owed_at) == (0, None)
    assert (await lab.store.snapshot()).owed == 1
