"""What an operator does to a running relay, through the commands as they are typed."""

import pytest
from support.relays import relay_for, typed

from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.server import simulator


@pytest.fixture
async def sim():
    async with simulator(SimulatorSettings(limit=RateLimit(rate=0))) as sim:
        yield sim


async def test_pause_holds_everything_and_resume_delivers_it(sim, tmp_path):
    async with relay_for(sim, tmp_path, target={"rate": 100}) as relay:
        assert (await typed(tmp_path, "pause", "--reason", "maintenance"))[0] == 0
        await relay.held("operator")
        await relay.idp.create_user("ada@example.com")
        code, shown = await typed(tmp_path, "status")
        assert code == 0
        assert "maintenance" in shown
        assert len(sim.directory.users) == 0

        assert (await typed(tmp_path, "resume", "--reason", "done"))[0] == 0
        await relay.settled()
        assert len(sim.directory.users) == 1


async def test_a_wiped_tfe_stops_everything_and_resuming_too_early_parks_nothing(sim, tmp_path):
    async with relay_for(sim, tmp_path, target={"rate": 100}) as relay:
        ada = await relay.idp.create_user("ada@example.com")
        bob = await relay.idp.create_user("bob@example.com")
        await relay.settled()
        sim.wipe()

        await relay.idp.call("PATCH", f"/Users/{ada}", _off())
        await relay.held("foreign")
        await relay.idp.call("PATCH", f"/Users/{bob}", _off())
        counters = await relay.counters()
        assert counters["parked"] == 0
        assert counters["pending"] == 2

        reply = await typed(tmp_path, "resume", "--hold", "foreign", "--reason", "it was wiped")
        assert reply[0] == 0
        await relay.held("foreign")  # TFE is still another one: it was asked, and told us so
        counters = await relay.counters()
        assert (counters["parked"], counters["pending"]) == (0, 2)
        assert (await relay.idp.get(f"/Users/{ada}")).body["active"] is False


async def test_a_hold_that_does_not_stand_cannot_be_lifted(sim, tmp_path):
    async with relay_for(sim, tmp_path):
        code, shown = await typed(tmp_path, "resume", "--reason", "none stands")

    assert code != 0
    assert "no hold operator stands" in shown


def _off():
    return {"Operations": [{"op": "replace", "value": {"active": False}}]}
