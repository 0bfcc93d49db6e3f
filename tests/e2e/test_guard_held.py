"""A purge is held, everything else flows, and an operator decides by the commands as typed."""

import json

import pytest
from support.idp import deactivate, patch_body, remove
from support.relays import relay_for, typed, until

from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.server import simulator

GUARD = {"max_deactivations": 2, "protected_groups": ["Admins"]}


@pytest.fixture
async def sim():
    async with simulator(SimulatorSettings(limit=RateLimit(rate=0))) as sim:
        yield sim


def suspended(sim):
    return {one.fields.user_name for one in sim.directory.users if not one.fields.active}


async def purged(relay, people):
    """Suspend everybody; the identity provider is answered as usual."""
    for one in people:
        reply = await relay.idp.call("PATCH", f"/Users/{one}", patch_body(deactivate()))
        assert reply.status == 200
        assert reply.body["active"] is False


async def deeds(folder):
    """What an operator reads that approving would do."""
    _, shown = await typed(folder, "holds", "list", "--json")
    return sorted(one["what"] for one in json.loads(shown)["held"])


async def people_of(relay, count):
    return [await relay.idp.create_user(f"user{number}@example.com") for number in range(count)]


async def test_a_purge_waits_while_others_are_created_and_approval_lets_it_go(sim, tmp_path):
    async with relay_for(sim, tmp_path, target={"rate": 100}, guard=GUARD) as relay:
        people = await people_of(relay, 5)
        await relay.settled()
        await purged(relay, people)
        await relay.idp.create_user("new@example.com")
        await until(lambda: len(sim.directory.users) == 6)
        assert len(suspended(sim)) <= 2

        code, shown = await typed(tmp_path, "holds", "list", "--json")
        assert code == 0
        listed = json.loads(shown)
        assert listed["holds"][0]["hold"] == "guard"
        assert listed["held_effects"] == 5 - len(suspended(sim))
        assert {one["what"] for one in listed["held"]} == {"deactivate"}

        code, shown = await typed(tmp_path, "holds", "approve", "--reason", "layoffs")
        assert code != 0
        assert "--all" in shown
        code, shown = await typed(tmp_path, "holds", "approve", "--all", "--reason", "layoffs")
        assert (code, "approved" in shown) == (0, True)
        await relay.settled()
        assert len(suspended(sim)) == 5
        assert "nothing is held" in (await typed(tmp_path, "holds", "list"))[1]


async def test_rejecting_one_person_keeps_the_account_and_lists_the_difference(sim, tmp_path):
    async with relay_for(sim, tmp_path, target={"rate": 100}, guard=GUARD) as relay:
        people = await people_of(relay, 5)
        await relay.settled()
        await typed(tmp_path, "pause", "--reason", "so that nothing is sent before the trip")
        await purged(relay, people)
        await typed(tmp_path, "resume", "--reason", "the guard has it")

        words = ("holds", "reject", "--person", "user1@example.com", "--reason", "still here")
        assert (await typed(tmp_path, *words))[0] == 0
        assert (await relay.idp.get(f"/Users/{people[1]}")).body["active"] is True
        _, shown = await typed(tmp_path, "holds", "list")
        assert "still here" in shown
        assert (await typed(tmp_path, "holds", "approve", "--all", "--reason", "the rest"))[0] == 0
        await relay.settled()
        assert suspended(sim) == {f"user{number}@example.com" for number in (0, 2, 3, 4)}


async def test_a_protected_group_waits_and_status_and_metrics_say_so(sim, tmp_path):
    async with relay_for(sim, tmp_path, target={"rate": 100}, guard=GUARD) as relay:
        ada = await relay.idp.create_user("ada@example.com")
        await relay.idp.create_group("Admins", ada)
        await until(lambda: len(sim.directory.users) == 1)

        code, shown = await typed(tmp_path, "status")
        assert (code, "protected Admins" in shown) == (0, True)
        assert len(sim.directory.groups) == 0
        assert await deeds(tmp_path) == ["add member ada@example.com", "create the group"]
        await typed(tmp_path, "holds", "approve", "--group", "admins", "--reason", "first time")
        await relay.settled()
        assert len(sim.directory.groups) == 1

        [admins] = (await relay.idp.get("/Groups")).body["Resources"]
        await relay.idp.call("PATCH", f"/Groups/{admins['id']}", patch_body(remove(ada)))
        assert await deeds(tmp_path) == ["remove member ada@example.com"]
        await relay.idp.call("DELETE", f"/Groups/{admins['id']}")
        assert await deeds(tmp_path) == ["delete the group"]
