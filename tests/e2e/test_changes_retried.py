"""An operator finds a parked change, tries it again or drops it, by the commands as typed."""

import json

import pytest
from support.idp import deactivate, patch_body, user
from support.relays import relay_for, typed, until

from relay.rules import dialect
from relay.rules.types import Kind
from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.faults import Fault, FaultKind, Match
from relay.simulator.server import simulator


@pytest.fixture
async def sim():
    async with simulator(SimulatorSettings(limit=RateLimit(rate=0))) as sim:
        yield sim


def refuse(sim, **match):
    fault = Fault(kind=FaultKind.STATUS, status=400, detail="not that one")
    sim.faults.add(fault, Match(count=None, **match))


async def parked(relay):
    async def one():
        return (await relay.counters())["parked"] > 0

    await until(one)


async def test_a_parked_creation_is_found_explained_and_retried(sim, tmp_path):
    answer = {"wait": "0s"}
    async with relay_for(sim, tmp_path, target={"rate": 100}, answer=answer) as relay:
        refuse(sim, method="POST", body="ada")
        await relay.idp.create_user("ada@example.com")
        await parked(relay)
        words = ("changes", "list", "--state", "parked", "--resource", "ada@example.com", "--json")
        code, shown = await typed(tmp_path, *words)
        found = json.loads(shown)
        assert (code, found["reason"]) == (0, "400 not that one")

        sim.faults.clear()
        code, shown = await typed(tmp_path, "changes", "retry", "--reason", "mended")
        assert code != 0
        assert "by accident" in shown
        words = ("changes", "retry", str(found["change"]), "--reason", "mended")
        assert (await typed(tmp_path, *words))[0] == 0
        await relay.settled()
        assert len(sim.directory.users) == 1


async def test_only_a_drop_ends_a_revocation_that_tfe_refuses(sim, tmp_path):
    answer = {"wait": "0s"}
    async with relay_for(sim, tmp_path, target={"rate": 100}, answer=answer) as relay:
        ada = await relay.idp.create_user("ada@example.com")
        await relay.settled()
        refuse(sim, method="PATCH")
        await relay.idp.call("PATCH", f"/Users/{ada}", patch_body(deactivate()))
        await until(lambda: any(one.method == "PATCH" for one in sim.log.entries()))

        words = ("changes", "drop", "--state", "pending", "--reason", "she stays")
        assert (await typed(tmp_path, *words))[0] == 0
        counters = await relay.counters()
        assert (counters["dropped"], counters["pending"]) == (1, 0)
        assert (await relay.idp.get(f"/Users/{ada}")).body["active"] is True
        assert "she stays" in (await typed(tmp_path, "holds", "list"))[1]


async def test_what_cannot_be_retried_is_named_with_the_reason(sim, tmp_path):
    async with relay_for(sim, tmp_path, target={"rate": 100}) as relay:
        await relay.idp.create_user("ada@example.com")
        await relay.settled()
        code, shown = await typed(tmp_path, "changes", "retry", "1", "--reason", "a try")
        assert code == 1
        assert "is delivered" in shown


async def test_what_is_under_way_is_dropped_once_its_answer_is_overdue_and_tfe_is_put_right(
    sim, tmp_path
):
    target = {"rate": 100, "timeout": "6s"}  # two commands are typed within it
    async with relay_for(sim, tmp_path, target=target, answer={"wait": "0s"}) as relay:
        ada = await relay.idp.create_user("ada@example.com")
        await relay.settled()
        rule = sim.faults.add(Fault(kind=FaultKind.SLOW_AFTER), Match(method="PATCH"))
        await relay.idp.call("PATCH", f"/Users/{ada}", patch_body(deactivate()))
        await until(lambda: rule.met == 1)
        order = ("changes", "drop", "2", "--reason", "she stays")
        code, shown = await typed(tmp_path, *order)
        assert (code, "change 2 is being sent; ask again in a moment" in shown) == (1, True), shown
        assert (await relay.counters())["pending"] == 1

        assert (await typed(tmp_path, "pause", "--reason", "a look at it"))[0] == 0

        async def given_up():
            lanes = (await relay.status())["lanes"]
            return "sending" not in lanes

        await until(given_up)
        [user] = sim.directory.users
        assert user.fields.active is False  # TFE did it, and was not heard
        assert (await typed(tmp_path, *order))[0] == 0
        assert (await typed(tmp_path, "resume", "--reason", "seen"))[0] == 0
        await until(lambda: next(iter(sim.directory.users)).fields.active)
        counters = await relay.counters()
        assert (counters["dropped"], counters["pending"], counters["accepted"]) == (1, 0, 2)
        assert (await relay.idp.get(f"/Users/{ada}")).body["active"] is True


async def test_a_filter_means_all_that_it_names_however_many(sim, tmp_path):
    async with relay_for(sim, tmp_path, answer={"wait": "0s"}) as relay:
        await typed(tmp_path, "pause", "--reason", "a large mistake")
        for number in range(1_005):
            write = dialect.parse_create(Kind.USER, user(f"user{number}@example.com"))
            await relay.store.directory.accept("idp", write, None)
        words = ("changes", "drop", "--state", "pending", "--json", "--reason", "a mistake")
        code, shown = await typed(tmp_path, *words)

        dropped = json.loads(shown)["dropped"]
        assert (code, len(dropped), dropped == sorted(dropped)) == (0, 1_005, True)
        assert (await relay.counters())["pending"] == 0
