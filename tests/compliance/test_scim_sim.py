"""scim-sim, which edits members by reading the roster and writing it back whole."""

import json
import re

import pytest
from held import by_tfe
from programs import run
from support.idp import TOKEN

from relay.simulator.faults import Fault, FaultKind, Match

pytestmark = [pytest.mark.compliance, pytest.mark.timeout(600)]
ID = re.compile(r"ID: (\S+)")


@pytest.fixture
def scim_sim_here(scim_sim, relay, base, theirs):
    """Runs a command of scim-sim; the id it prints, or its words."""
    settings = {"SCIM_BASE_URL": base, "SCIM_AUTH_TOKEN": TOKEN}
    (theirs / ".scim_config.json").write_text(json.dumps(settings))

    async def command(*words):
        outcome = await run(scim_sim, *words, folder=theirs, HOME=str(theirs), PYTHONUTF8="1")
        assert outcome.code == 0, outcome
        assert "✅" in outcome.output, outcome
        found = ID.search(outcome.output)
        return found[1] if found else outcome.output

    return command


async def test_members_written_back_from_what_was_read_are_right_though_tfe_was_down(
    scim_sim_here, relay, sim
):
    people = [await scim_sim_here("add-user") for _ in range(4)]
    group = await scim_sim_here("create-group", "crew")
    await scim_sim_here("add-to-group", people[0], group)
    await relay.settled()
    sim.faults.add(Fault(kind=FaultKind.RESET_BEFORE), Match(count=None))
    for person in people[1:]:
        await scim_sim_here("add-to-group", person, group)
    await scim_sim_here("remove-from-group", people[1], group)
    sim.faults.clear()
    await relay.settled(90)

    names = {user["id"]: user["userName"] for user in await listed(relay, "Users")}
    crew = sorted(names[people[at]] for at in (0, 2, 3))
    users, groups = by_tfe(sim)
    assert len(users) == 4
    assert groups == [("crew", None, crew)]


async def test_a_group_that_is_deleted_with_all_its_members_is_gone_with_them(
    scim_sim_here, relay, sim
):
    people = [await scim_sim_here("add-user") for _ in range(3)]
    group = await scim_sim_here("create-group", "crew")
    for person in people[:2]:
        await scim_sim_here("add-to-group", person, group)
    await scim_sim_here("delete-group", group)
    await relay.settled()

    left = [user["userName"] for user in await listed(relay, "Users")]
    users, groups = by_tfe(sim)
    assert [name for name, *_ in users] == left
    assert len(left) == 1
    assert groups == []


async def listed(relay, collection):
    return (await relay.idp.get(f"/{collection}")).body["Resources"]
