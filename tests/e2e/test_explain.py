"""`scim-relay explain`: from a name to why the person is not in TFE, or in the team."""

import json

import pytest
from support.idp import add, deactivate, remove
from support.relays import asked, relay_for, typed, until
from test_site_seen import admin_keys

from relay.simulator.admin import orders
from relay.simulator.admin.budgets import AdminLimits
from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.faults import Fault, FaultKind, Match
from relay.simulator.server import simulator

FAST = {"target": {"rate": 100}, "answer": {"wait": "0s"}}


@pytest.fixture
async def sim():
    settings = SimulatorSettings(
        limit=RateLimit(rate=0), admin_limits=AdminLimits(api=0, settings=0, links=0)
    )
    async with simulator(settings) as sim:
        yield sim


@pytest.fixture
async def relay(sim, tmp_path):
    async with relay_for(sim, tmp_path, **FAST) as relay:
        yield relay


async def explained(relay, kind, name):
    """The findings of `explain KIND NAME`."""
    answer = await asked(relay._socket, "explain", kind=kind, name=name)
    return answer, {one["why"]: one for one in answer["findings"]}


async def test_whom_nobody_sent_is_not_known_and_the_idps_log_is_the_next_place(relay, tmp_path):
    code, shown = await typed(tmp_path, "explain", "user", "nobody@example.com")

    assert code == 1
    assert "no identity provider has sent the user 'nobody@example.com'" in shown
    assert "provisioning log" in shown


async def test_who_is_in_step_is_said_to_be_under_any_of_its_names(relay, tmp_path):
    ada = await relay.idp.create_user("ada@example.com", externalId="e-1")
    await relay.settled()
    target = await relay.target_id(ada)

    for name in ("ADA@example.com", ada, target, "e-1"):
        code, shown = await typed(tmp_path, "explain", "user", name)
        assert code == 0
        assert shown.splitlines()[0] == (
            f"User ada@example.com (here {ada}, in TFE {target}): live"
        )
        assert "in step: Terraform Enterprise confirmed all that was written" in shown


async def test_a_user_that_tfe_refused_is_told_with_its_words_and_the_retry(relay, sim):
    refusal = Fault(kind=FaultKind.STATUS, status=400, detail="emails is required")
    sim.faults.add(refusal, Match(method="POST", count=None))
    await relay.idp.create_user("ada@example.com")
    await parked(relay)

    _, found = await explained(relay, "User", "ada@example.com")

    assert "400 emails is required" in found["parked"]["cause"]
    assert "changes retry 1 --reason" in found["parked"]["cure"]


async def parked(relay):
    async def one_is():
        return (await relay.counters())["parked"]

    await until(one_is)


async def test_who_waits_behind_a_hold_is_told_which_and_what_ends_it(relay, sim):
    sim.pause()
    await relay.idp.create_user("ada@example.com")
    await relay.held("paused")

    answer, found = await explained(relay, "User", "ada@example.com")

    assert (answer["state"], answer["tfe_id"], list(found)) == ("live", None, ["hold"])
    assert "existence of the user waits" in found["hold"]["cause"]
    assert "a site administrator" in found["hold"]["cure"]


async def test_what_the_guard_holds_names_the_order_that_decides(sim, tmp_path):
    guard = {"protected_users": ["root@example.com"]}
    async with relay_for(sim, tmp_path, **FAST, guard=guard) as relay:
        await relay.idp.create_user("root@example.com")
        _, found = await explained(relay, "User", "root@example.com")

    assert "protected root@example.com" in found["held by the guard"]["cause"]
    assert "holds list --change 1" in found["held by the guard"]["cure"]


async def test_suspending_and_deleting_are_told_apart(relay):
    ada, bob = [await relay.idp.create_user(f"{n}@example.com") for n in ("ada", "bob")]
    await relay.settled()
    await relay.idp.patch(f"/Users/{ada}", deactivate())
    await relay.idp.delete(f"/Users/{bob}")
    await relay.settled()

    suspended, of_ada = await explained(relay, "User", "ada@example.com")
    deleted, of_bob = await explained(relay, "User", "bob@example.com")

    assert (suspended["state"], list(of_ada)) == ("live", ["suspended", "in step"])
    assert "keeps the SCIM identity" in of_ada["suspended"]["cause"]
    assert "activate the user again" in of_ada["suspended"]["cure"]
    assert (deleted["state"], list(of_bob)) == ("gone", ["deleted"])
    assert "takes the SCIM identity away, suspends the user" in of_bob["deleted"]["cause"]
    assert "create it again" in of_bob["deleted"]["cure"]


async def test_a_suspension_that_tfe_refuses_is_owed(relay, sim):
    ada = await relay.idp.create_user("ada@example.com")
    await relay.settled()
    refusal = Fault(kind=FaultKind.STATUS, status=500, detail="no")
    sim.faults.add(refusal, Match(method="PATCH", count=None))
    await relay.idp.create_user("bob@example.com")
    await relay.idp.patch(f"/Users/{ada}", deactivate())

    async def owed():
        return "owed" in (await explained(relay, "User", "ada@example.com"))[1]

    await until(owed)
    _, found = await explained(relay, "User", "ada@example.com")
    assert "access stays until it takes it" in found["owed"]["cause"]
    assert "a site administrator takes it away in TFE" in found["owed"]["cure"]


async def test_a_member_waits_for_its_user_and_leads_to_it(relay, sim):
    crew = await relay.idp.create_group("Crew")
    await relay.settled()
    slow = sim.faults.add(
        Fault(kind=FaultKind.SLOW_BEFORE), Match(method="POST", path="^/Users", count=None)
    )
    ada = await relay.idp.create_user("ada@example.com")
    await relay.idp.patch(f"/Groups/{crew}", add(ada))

    _, of_group = await explained(relay, "Group", "Crew")
    answer, _ = await explained(relay, "User", "ada@example.com")
    slow.release()
    await relay.settled()

    assert "explain user ada@example.com" in of_group["waits for a user"]["cure"]
    [membership] = answer["groups"]
    assert (membership["group"], membership["why"]) == ("Crew", "waits for a user")


async def test_who_waits_for_a_name_is_told_who_has_it(relay, sim):
    ada, bob = [await relay.idp.create_user(f"{n}@example.com") for n in ("ada", "bob")]
    await relay.settled()
    slow = sim.faults.add(
        Fault(kind=FaultKind.SLOW_BEFORE), Match(method="PATCH", body="eve", count=None)
    )
    await rename(relay, ada, "eve@example.com")
    await until(lambda: slow.met)
    await rename(relay, bob, "ada@example.com")

    _, found = await explained(relay, "User", bob)
    slow.release()
    await relay.settled()

    assert "which eve@example.com has" in found["waits for a name"]["cause"]


async def rename(relay, who, name):
    operation = {"op": "replace", "value": {"userName": name}}
    assert (await relay.idp.patch(f"/Users/{who}", operation)).status == 200


async def test_what_an_operator_rejected_is_said_with_who_and_why(sim, tmp_path):
    async with relay_for(sim, tmp_path, **FAST, guard={"protected_users": ["a@x.org"]}) as relay:
        ada = await relay.idp.create_user("a@x.org")
        await typed(tmp_path, "holds", "approve", "--all", "--reason", "known")
        await relay.settled()
        await relay.idp.patch(f"/Users/{ada}", deactivate())
        await typed(tmp_path, "holds", "reject", "--all", "--reason", "still works here")
        _, found = await explained(relay, "User", "a@x.org")

    assert "still works here" in found["rejected by an operator"]["cause"]


async def test_from_a_person_to_the_team_every_step_is_told(sim, tmp_path):
    orders.organizations(sim, {"name": "acme"})
    team = orders.teams(sim, {"organization": "acme", "name": "devs"})["id"]
    keys = admin_keys(sim, tmp_path)
    async with relay_for(sim, tmp_path, **FAST, admin_api=keys) as relay:
        ada = await relay.idp.create_user("ada@example.com")
        crew = await relay.idp.create_group("Crew", ada)
        await relay.settled()

        async def step():
            await relay.parts.site.look(everything=True)
            answer, _ = await explained(relay, "User", "ada@example.com")
            [one] = answer["groups"]
            return one["why"], one["cause"]

        why, cause = await step()
        assert (why, "gives nothing" in cause) == ("no team", True)
        orders.links(sim, {"team": team, "group": "Crew"})
        why, cause = await step()
        assert (why, "acme/devs follows Crew" in cause) == ("in step", True)
        orders.links(sim, {"team": team, "paused": True})
        why, cause = await step()
        assert (why, "acme/devs is paused" in cause) == ("team paused", True)
        sim.pause()
        await relay.idp.patch(f"/Groups/{crew}", remove(ada))
        await relay.held("paused")
        await until(lambda: is_known(relay))
        answer, _ = await explained(relay, "User", "ada@example.com")
        [one] = answer["groups"]
        assert (one["wanted"], one["in_tfe"], one["why"]) == (False, True, "hold")

        group = json.loads((await typed(tmp_path, "explain", "group", "crew", "--json"))[1])
        assert group["members"] == {"wanted": 0, "in_tfe": 1}
        assert group["teams"][0]["why"] == "team paused"


async def is_known(relay):
    """Whether what the pause answered is settled: until then TFE may or may not have it."""
    answer, _ = await explained(relay, "User", "ada@example.com")
    return answer["groups"][0]["in_tfe"] is not None


async def test_a_part_of_a_large_group_that_no_team_follows_is_named(sim, tmp_path):
    orders.organizations(sim, {"name": "acme"})
    team = orders.teams(sim, {"organization": "acme", "name": "devs"})["id"]
    keys = {"admin_api": admin_keys(sim, tmp_path), "groups": OVERFLOW}
    async with relay_for(sim, tmp_path, **FAST, **keys) as relay:
        people = [await relay.idp.create_user(f"u{n}@example.com") for n in range(1_001)]
        await relay.idp.create_group("Crew", *people)
        await relay.settled(60)
        orders.links(sim, {"team": team, "group": "Crew"})
        await relay.parts.site.look(everything=True)
        answer, _ = await explained(relay, "User", "u1000@example.com")

    [one] = answer["groups"]
    assert (one["group"], one["part"], one["in_tfe"]) == ("Crew", "Crew (2)", True)
    assert one["why"] == "no team"
    assert "no team follows the group Crew (2)" in one["cause"]


OVERFLOW = {"oversize": "overflow", "overflow_acknowledged": True}
