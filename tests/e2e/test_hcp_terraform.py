"""The relay in front of HCP Terraform: its address, its rate, its names, its teams."""

import pytest
from support.idp import group
from support.lab import lab_in
from support.relays import relay_for

from relay.errors import Refused
from relay.rules.contract import HCP
from relay.simulator import SimulatorSettings, simulator

HCP_TERRAFORM = SimulatorSettings().for_profile(HCP)
PROFILE = {"target": {"profile": "hcp"}}


async def test_a_group_that_is_created_is_a_team_with_its_members(tmp_path):
    async with simulator(HCP_TERRAFORM) as sim, relay_for(sim, tmp_path, **PROFILE) as relay:
        ada = await relay.idp.create_user("ada@example.com")
        crew = await relay.idp.create_group("Crew", ada)
        await relay.settled()

        [team] = [one for one in sim.site.estate.teams() if one.link is not None]
        assert (team.name, team.members) == ("Crew", ("ada",))
        assert "/scim/v2/scimconf-" in sim.url

        assert (await relay.idp.delete(f"/Groups/{crew}")).status == 204
        await relay.settled()
        assert [one.name for one in sim.site.estate.teams()] == ["owners"]


@pytest.mark.parametrize("name", ["owners", "SSO"])
async def test_a_reserved_name_is_a_409_that_costs_nothing(name, tmp_path):
    async with lab_in(tmp_path, profile=HCP) as lab:
        crew = await lab.group("Crew")
        await lab.run()

        with pytest.raises(Refused) as created:
            await lab.post(group(name))
        with pytest.raises(Refused) as renamed:
            await lab.rename(crew, name)

        assert (created.value.status, renamed.value.status) == (409, 409)
        assert await lab.run() == []


async def test_a_sixth_deletion_in_the_window_waits_for_an_operator(tmp_path):
    async with simulator(HCP_TERRAFORM) as sim, relay_for(sim, tmp_path, **PROFILE) as relay:
        made = [await relay.idp.create_group(f"Crew {number}") for number in range(10)]
        await relay.settled()
        for one in made[:5]:
            assert (await relay.idp.delete(f"/Groups/{one}")).status == 204
        await relay.settled()
        assert len(sim.directory.groups) == 5

        for one in made[5:]:
            assert (await relay.idp.delete(f"/Groups/{one}")).status == 204

        assert (await relay.counters())["pending"] == 5
        assert {hold.name for hold in (await relay.parts.store.snapshot()).holds} == {"guard"}
