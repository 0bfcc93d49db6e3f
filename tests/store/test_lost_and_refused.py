"""What TFE lost and refuses to create anew is parked with its edit, and comes back by a retry."""

import pytest
from support.idp import add
from test_refusals import refuse

from relay.probe.session import Asked
from relay.rules.types import Kind


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
