"""C1: accepted = delivered + refused + parked + dropped + pending, at every moment.

Asserted after every history of `test_c2`, and by every use of the lab's `counters`.
"""

from support.idp import add, deactivate, patch_body

from relay.rules import dialect
from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.operate.listing import ChangeFilter

WHY = ("ada (uid 1000)", "a test")
ENDS = ("delivered", "refused", "parked", "dropped", "pending")


async def test_every_way_a_change_can_end_is_counted_once_and_the_sum_holds_at_each_step(lab):
    async def counted():
        return await lab.counters()  # asserts the sum

    refusal = Fault(kind=FaultKind.STATUS, status=422, detail="no")
    ada, bob = await lab.users(2)
    await counted()
    await lab.run()
    lab.tfe.faults.add(refusal, Match(method="PATCH", body="e-1", count=None))
    await lab.edit(ada, externalId="e-1")  # parked
    await lab.run()
    await lab.accept(*await live_edit(lab, bob, "e-1"), waits=True)  # refused
    await lab.run()
    await lab.patch(Kind.USER, bob, deactivate())  # pending, then dropped
    [pending] = await lab.store.changes(ChangeFilter(state="pending"))
    await counted()
    await lab.store.desk.drop(pending["id"], *WHY)
    await lab.group("Crew", ada)
    crew_edit = await lab.group("Other", bob)
    await lab.patch(Kind.GROUP, crew_edit, add(ada))
    before = await counted()
    assert before["pending"] > 0
    await lab.run()

    found = await counted()
    assert {end: found[end] for end in ENDS} == {
        "delivered": 2 + 3,
        "refused": 1,
        "parked": 1,
        "dropped": 1,
        "pending": 0,
    }


async def live_edit(lab, who, external):
    body = patch_body({"op": "replace", "value": {"externalId": external}})
    return dialect.parse_patch(Kind.USER, body), who


async def test_the_counters_are_those_of_the_rows(lab):
    people = await lab.users(5)
    await lab.group("Crew", *people)
    await lab.run(most=3)
    found = await lab.counters()

    def rows(tx):
        return dict(tx.all("SELECT state, count(*) FROM change GROUP BY state"))

    assert {end: found[end] for end in ENDS if found[end]} == await lab.store.run(rows)
