"""What the store tells the metrics: requests that TFE was spared, and what it refused for good."""

import pytest
from support.idp import add, remove
from support.lab import lab_in

from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match


@pytest.fixture
def told():
    return []


@pytest.fixture
async def lab(tmp_path, told):
    async with lab_in(tmp_path, counted=lambda *event: told.append(event)) as found:
        yield found


async def test_folding_saves_a_request_for_each_change_but_one(lab, told):
    people = await lab.users(5)
    crew = await lab.group("Crew")
    await lab.run()
    for one in people:
        await lab.patch(Kind.GROUP, crew, add(one))
    await lab.run()

    assert told.count(("saved", "folding")) == 4


async def test_a_change_that_asks_for_what_is_there_saves_its_request(lab, told):
    ada = await lab.user("ada@example.com")
    crew = await lab.group("Crew", ada)
    await lab.run()
    await lab.patch(Kind.GROUP, crew, add(ada))
    bob = await lab.user("bob@example.com")
    await lab.patch(Kind.GROUP, crew, remove(bob))

    assert told.count(("saved", "no_op")) == 2


async def test_what_is_parked_is_counted_by_tfe_s_status(lab, told):
    ada = await lab.user("ada@example.com")
    await lab.run()
    refusal = Fault(kind=FaultKind.STATUS, status=422, detail="no")
    lab.tfe.faults.add(refusal, Match(method="PATCH", count=None))
    await lab.edit(ada, externalId="a")
    await lab.run()

    assert told.count(("parked", "422")) == 1
