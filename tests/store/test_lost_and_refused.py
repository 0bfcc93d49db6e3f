"""What TFE lost and refuses to create anew is parked with its edit, and comes back by a retry."""

import pytest
from support.idp import add
from test_refusals import refuse

from relay.probe.session import Asked
from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.operate.listing import ChangeFilter


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_retried_edit_brings_back_what_tfe_lost_and_refused_to_create(lab, kind):
    people = await lab.users(3)
    crew = await lab.group("Crew", *people[:2])
    await lab.run()
    lost = crew if kind is Kind.GROUP else people[0]
    await lab.send(Asked("DELETE", f"/{kind.plural}/{await lab.target(lost)}"))
    refuse(lab, method="POST", path=f"^/{kind.plural}$")
    if kind is Kind.GROUP:
        edit = await lab.patch(Kind.GROUP, crew, add(people[2]))
    else:
        edit = await lab.edit(lost, userName="ada@example.com")
    await lab.run()
    assert await lab.state(edit.change) == "parked"

    lab.tfe.faults.clear()
    await lab.store.desk.retry(edit.change, "ada", "mended")
    await lab.run()
    assert await lab.state(edit.change) == "delivered"
    if kind is Kind.GROUP:
        assert len(lab.roster("Crew")) == len(people)
    else:
        assert lab.user_in_tfe("ada@example.com") is not None


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_deletion_answered_404_is_done_only_once_tfe_says_that_nobody_is_there(lab, kind):
    """A proxy's 404 while TFE restarts would leave the account behind, and nobody would know."""
    made = await (lab.user("ada@example.com") if kind is Kind.USER else lab.group("Crew"))
    await lab.run()
    lab.tfe.faults.add(Fault(kind=FaultKind.STATUS, status=404), Match(method="DELETE"))
    gone = await lab.delete(kind, made)
    sent = await lab.run(within_s=0.0)

    assert [one.method for one in sent] == ["DELETE", "GET"]
    assert await lab.state(gone.change) == "pending"
    assert (await lab.store.snapshot()).owed == 1
    await lab.run(within_s=1000.0)
    assert await lab.state(gone.change) == "delivered"
    assert (len(lab.tfe.directory.users), len(lab.tfe.directory.groups)) == (0, 0)


async def test_a_deletion_of_who_is_gone_already_is_done_after_one_look(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    await lab.send(Asked("DELETE", f"/Users/{await lab.target(ada)}"))
    gone = await lab.delete(Kind.USER, ada)
    sent = await lab.run()

    assert [one.method for one in sent] == ["DELETE", "GET"]
    assert await lab.state(gone.change) == "delivered"


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("decided", ["retry", "drop"])
async def test_what_tfe_lost_unasked_and_will_not_have_again_is_a_parked_change(lab, kind, decided):
    ada = await lab.user("ada@example.com")
    crew = await lab.group("Crew", ada)
    await lab.run()
    lost = ada if kind is Kind.USER else crew
    await lab.send(Asked("DELETE", f"/{kind.plural}/{await lab.target(lost)}"))
    refuse(lab, method="POST", path=f"^/{kind.plural}$", detail="no such domain")
    lab.clock.turn(7 * 3600)  # TFE's word is believed for six hours
    await (lab.edit(ada, active=True) if kind is Kind.USER else lab.rename(crew, "Crew"))
    await lab.run()

    [parked] = await lab.store.changes(ChangeFilter(state="parked"))
    assert (parked["connection"], parked["verb"], parked["resource"]) == ("relay", "create", lost)
    assert (parked["status"], parked["detail"]) == (400, "no such domain")
    assert await lab.shadow(kind, lost) is None

    lab.tfe.faults.clear()
    await getattr(lab.store.desk, decided)(parked["id"], "ada", "mended")
    await lab.run()
    there = decided == "retry"
    assert (await lab.shadow(kind, lost) is not None) == there
    assert (lab.user_in_tfe("ada@example.com") is not None) == (there or kind is Kind.GROUP)
    if there:
        assert lab.roster("Crew") == {"ada@example.com"}
    counters = await lab.counters()
    assert (counters["pending"], counters["parked"]) == (0, 0)
