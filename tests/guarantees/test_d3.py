"""D3: edits are done at least once, creations effectively once: TFE holds the fold of the writes.

Over random histories: `test_c2`.
"""

import itertools

import pytest
from support.idp import add, deactivate, remove
from support.lab import lab_in

from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match

FAULTS = [
    Fault(kind=FaultKind.RESET_AFTER),
    Fault(kind=FaultKind.RESET_BEFORE),
    Fault(kind=FaultKind.STATUS_AFTER, status=502),
    Fault(kind=FaultKind.CUT),
]


async def test_a_fault_at_every_third_request_leaves_each_write_done_once(tmp_path):
    async with lab_in(tmp_path) as lab:
        faults = itertools.cycle(FAULTS)
        people = await lab.users(12)
        crew = await lab.group("Crew", *people[:6])
        await lab.patch(Kind.GROUP, crew, add(*people[6:]))
        for one in people[:4]:
            await lab.edit(one, externalId=f"e-{one}")
            await lab.patch(Kind.USER, one, deactivate())
        for _ in range(60):
            if lab.tfe.log and len(lab.tfe.log) % 3 == 0:
                lab.tfe.faults.add(next(faults), Match(count=1))
            await lab.run(most=1)
        lab.tfe.faults.clear()
        for _ in range(3):
            lab.clock.turn(1000)
            await lab.run()

        users = {one.fields.user_name: one.fields for one in lab.tfe.directory.users}
        assert len(users) == len(lab.tfe.directory.users) == 12
        assert sum(not one.active for one in users.values()) == 4
        assert {one.external_id for one in users.values() if not one.active} == {
            f"e-{one}" for one in people[:4]
        }
        assert lab.roster("Crew") == set(users)
        assert (await lab.counters())["delivered"] == 12 + 2 + 8


@pytest.mark.parametrize("had_its_effect", [True, False])
@pytest.mark.parametrize("first", [add, remove])
async def test_a_membership_in_doubt_is_sent_again_though_the_idp_took_it_back(
    lab, first, had_its_effect
):
    ada = await lab.user("ada@example.com")
    crew = await lab.group("Crew", *([ada] if first is remove else []))
    await lab.run()
    kind = FaultKind.RESET_AFTER if had_its_effect else FaultKind.RESET_BEFORE
    lab.tfe.faults.add(Fault(kind=kind), Match(method="PATCH", count=1))
    await lab.patch(Kind.GROUP, crew, first(ada))
    lab.clock.turn(1)
    await lab.step()
    await lab.patch(Kind.GROUP, crew, (add if first is remove else remove)(ada))
    await lab.run(within_s=300)

    assert lab.roster("Crew") == ({"ada@example.com"} if first is remove else set())
