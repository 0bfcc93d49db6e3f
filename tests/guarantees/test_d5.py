"""D5: a poison change is parked with its reason; what depends on it is seen; nothing else waits.

Faults of the relay itself: `tests/store/test_faults_of_ours.py`; what no gateway lets through:
`tests/store/test_poison_and_outage.py`.
"""

import pytest

from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.operate.listing import ChangeFilter


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_creation_that_tfe_refuses_is_parked_with_tfes_words_and_its_group_goes_on(
    status, lab
):
    refusal = Fault(kind=FaultKind.STATUS, status=status, detail="TFE says no")
    lab.tfe.faults.add(refusal, Match(method="POST", body="poison", count=None))
    poison = await lab.user("poison@example.com")
    people = await lab.users(10)
    await lab.group("Crew", poison, *people)
    await lab.run()

    [parked] = await lab.store.changes(ChangeFilter(state="parked"))
    assert (parked["status"], "TFE says no" in parked["detail"]) == (status, True)
    assert len(lab.roster("Crew")) == 10
    assert (await lab.counters())["pending"] == 0


async def test_an_edit_on_top_of_what_was_parked_ends_with_it_and_says_why(lab):
    refusal = Fault(kind=FaultKind.STATUS, status=422, detail="TFE says no")
    lab.tfe.faults.add(refusal, Match(method="POST", body="poison", count=None))
    poison = await lab.user("poison@example.com")
    edit = await lab.edit(poison, externalId="e-1")
    await lab.run()
    found = await lab.store.change(edit.change)

    assert found["state"] == "parked"
    assert "its creation was refused" in found["detail"]
