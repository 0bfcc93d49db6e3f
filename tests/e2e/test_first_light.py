"""The main job, from a user's creation to its revocation, through a pause and a kill -9."""

import pytest
from support.idp import Idp, deactivate
from support.relays import RelayProcess, relay_for, until, write_config

from relay.simulator.server import simulator


@pytest.fixture
async def sim():
    async with simulator() as sim:
        yield sim


async def test_a_user_and_a_group_reach_tfe_and_the_id_given_out_is_tfes_own(sim, tmp_path):
    async with relay_for(sim, tmp_path) as relay:
        alice = await relay.idp.create_user("alice@example.com", externalId="a-1")
        eng = await relay.idp.create_group("Engineering", alice)
        await relay.settled()

        assert sim.directory.user(alice).fields.user_name == "alice@example.com"
        assert sim.directory.group(eng).fields.display_name == "Engineering"


async def test_what_was_accepted_survives_a_pause_and_a_kill_and_is_delivered_and_revoked(
    sim, tmp_path
):
    relay = RelayProcess(write_config(sim, tmp_path, answer={"wait": "0s"}))
    await relay.start()
    async with Idp(relay.base) as idp:
        await until_ready(idp)
        sim.pause()
        alice = await idp.create_user("alice@example.com")
        eng = await idp.create_group("Engineering", alice)
        await relay.kill()
    assert len(sim.directory.users) == 0

    relay = RelayProcess(relay.config)
    await relay.start()
    async with Idp(relay.base) as idp:
        assert (await idp.get(f"/Users/{alice}")).body["userName"] == "alice@example.com"
        sim.resume()
        await until(lambda: len(sim.directory.groups) == 1)
        reply = await idp.patch(f"/Users/{alice}", deactivate())
        assert reply.status == 200
        await until(lambda: not next(iter(sim.directory.users)).fields.active)
        members = (await idp.get(f"/Groups/{eng}")).body["members"]
        assert [member["value"] for member in members] == [alice]
    assert await relay.stop() == 0
    assert len(sim.directory.users) == 1


async def until_ready(idp):
    async def ready():
        return (await idp.get("/Users?count=0")).status == 200

    await until(ready)
