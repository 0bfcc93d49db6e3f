"""D4: one resource is strictly in order; a member waits for its user; others go on beside it."""

from support.idp import add, deactivate

from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.deliver.claiming import Idle


async def test_the_writes_of_one_resource_arrive_in_the_order_of_acceptance(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    for number in range(5):
        await lab.edit(ada, externalId=f"e-{number}")
        await lab.run()
    seen = [str(one.body) for one in lab.sent if one.method == "PATCH"]

    assert len(seen) == 5
    assert all(f"e-{number}" in body for number, body in enumerate(seen))


async def test_nothing_of_a_resource_is_claimed_while_a_request_of_it_is_under_way(lab):
    ada, bob = await lab.users(2)
    await lab.run()
    await lab.edit(ada, externalId="e-1")
    first = await lab.claim()
    await lab.edit(ada, externalId="e-2")
    await lab.patch(Kind.USER, ada, deactivate())
    await lab.edit(bob, externalId="b-1")

    beside = await lab.claim()
    assert beside.resource != first.resource
    assert isinstance(await lab.claim(), Idle)

    await lab.finish(first, await lab.send(first.request))
    assert (await lab.claim()).resource == first.resource


async def test_a_member_waits_for_its_user_and_the_group_does_not(lab):
    stuck = lab.tfe.faults.add(
        Fault(kind=FaultKind.STATUS, status=503), Match(method="POST", body="late", count=None)
    )
    early, late = await lab.user("early@example.com"), await lab.user("late@example.com")
    await lab.group("Crew", early, late)
    await lab.run()
    assert lab.roster("Crew") == {"early@example.com"}

    lab.tfe.faults.remove(stuck.ident)
    lab.clock.turn(1000)
    await lab.run()
    assert lab.roster("Crew") == {"early@example.com", "late@example.com"}


async def test_one_stuck_resource_holds_up_none_of_ninety_nine_others(lab):
    people = await lab.users(100)
    await lab.run()
    poison = await lab.target(people[0])
    lab.tfe.faults.add(
        Fault(kind=FaultKind.STATUS, status=502),
        Match(method="PATCH", path=f"/Users/{poison}$", count=None),
    )
    for one in people:
        await lab.edit(one, externalId=f"e-{one}")
    crew = await lab.group("Crew", *people[1:])
    await lab.patch(Kind.GROUP, crew, add(people[0]))
    await lab.run()

    done = [one for one in lab.tfe.directory.users if one.fields.external_id]
    assert len(done) == 99
    assert len(lab.roster("Crew")) == 100
    assert (await lab.counters())["pending"] == 1
