"""The design's table *what came back, what follows*, row by row over sockets."""

import pytest
from support.idp import activate, deactivate, user
from support.relays import relay_for, until
from support.targets import is_probe

from relay.simulator.behaviour import Behaviour
from relay.simulator.faults import Fault, FaultKind, Match
from relay.simulator.records import UserFields

FAST = {"rate": 100}


@pytest.fixture
def relay_of(tfe, tmp_path):
    def relay(**target_keys):
        keys = {**FAST, **target_keys}
        return relay_for(tfe, tmp_path, target=keys, answer={"wait": "0s"})

    return relay


def fault(kind, status=500, **more):
    return Fault(kind=FaultKind(kind), status=status, **more)


async def landed_once(tfe, relay, *names):
    """All of them are in TFE, once each, and TFE's ids are bound."""
    await relay.settled()
    counters = await relay.counters()
    assert (counters["parked"], counters["pending"]) == (0, 0)
    assert tfe.names() == sorted(names)


# --- no answer in target.timeout ------------------------------------------------------------


async def test_a_creation_without_an_answer_in_time_is_looked_up_and_never_doubled(tfe, relay_of):
    async with relay_of(timeout="1s") as relay:
        tfe.faults.add(fault("slow-after"), Match(method="POST"))
        await relay.idp.create_user("ada@example.com")
        await landed_once(tfe, relay, "ada@example.com")

    lookups = [entry for entry in tfe.arrived() if "filter" in entry.query]
    assert len(tfe.log.entries(method="POST")) == 1
    assert [entry.query["filter"] for entry in lookups] == ['userName eq "ada@example.com"']


async def test_several_lanes_without_an_answer_are_the_target_and_hold_everything(tfe, relay_of):
    async with relay_of(timeout="1s") as relay:
        rule = tfe.faults.add(fault("slow-before"), Match(count=None))
        for number in range(3):
            await relay.idp.create_user(f"user{number}@example.com")
        await relay.held("down")
        since = len(tfe.log)
        await relay.idp.create_user("user3@example.com")
        await until(lambda: len(tfe.arrived(since)) >= 1)
        assert all(is_probe(entry) for entry in tfe.arrived(since))

        tfe.faults.remove(rule.ident)
        await landed_once(tfe, relay, *(f"user{number}@example.com" for number in range(4)))


# --- 500 in one lane while others succeed ---------------------------------------------------


async def test_a_change_that_is_500_while_others_succeed_is_sent_once_more_then_parked(
    tfe, relay_of
):
    async with relay_of() as relay:
        await relay.idp.create_user("bob@example.com")
        await relay.settled()
        tfe.faults.add(
            fault("status", detail="boom"), Match(method="POST", body="poison", count=None)
        )
        reply = await relay.idp.post("/Users", user("poison@example.com"))
        for number in range(4):
            await relay.idp.create_user(f"user{number}@example.com")
        await relay.settled()
        change = await relay.store.change(int(reply.headers["X-Change-Id"]))
        told = await relay.idp.get(f"/Users/{reply.body['id']}")

    posts = [entry for entry in tfe.log.entries(method="POST") if "poison" in entry.body]
    assert (change["state"], change["status"], change["detail"]) == ("parked", 500, "boom")
    assert len(posts) == 2
    assert (told.status, "boom" in told.body["detail"]) == (404, True)
    assert len(tfe.names()) == 5


async def test_a_revocation_that_is_500_while_others_succeed_stays_owed_until_it_is_taken(
    tfe, relay_of
):
    async with relay_of() as relay:
        ada = await relay.idp.create_user("ada@example.com")
        await relay.settled()
        rule = tfe.faults.add(fault("status"), Match(method="PATCH", count=None))
        await relay.idp.patch(f"/Users/{ada}", deactivate())
        await relay.idp.create_user("bob@example.com")
        await until(lambda: len(tfe.log.entries(method="PATCH")) >= 2)

        async def owed():
            return (await relay.status())["owed_revocations"] == 1

        await until(owed)
        assert (await relay.counters())["parked"] == 0
        assert (await relay.idp.get(f"/Users/{ada}")).body["active"] is False

        tfe.faults.remove(rule.ident)
        await relay.settled()
        [found] = tfe.directory.users.named("ada@example.com")
        assert found.fields.active is False


# --- 502, 503, 504, refused, reset ----------------------------------------------------------

DOWN = {
    "502": fault("status", 502),
    "503": fault("status", 503),
    "504": fault("status", 504),
    "502 after the effect": fault("status-after", 502),
    "504 after the effect": fault("status-after", 504),
}
SILENT = {
    "reset before the effect": fault("reset-before"),
    "reset after the effect": fault("reset-after"),
    "cut answer": fault("cut"),
    "half of its JSON": fault("garbage"),
}


@pytest.mark.parametrize("name", DOWN)
async def test_a_gateways_error_holds_everything_until_a_probe_and_nothing_is_doubled(
    name, tfe, relay_of
):
    async with relay_of() as relay:
        tfe.faults.add(DOWN[name], Match(method="POST"))
        await relay.idp.create_user("ada@example.com")
        await relay.held("down")
        since = len(tfe.log)
        await relay.idp.create_user("bob@example.com")
        await landed_once(tfe, relay, "ada@example.com", "bob@example.com")

    assert is_probe(tfe.arrived(since)[0])


@pytest.mark.parametrize("name", SILENT)
async def test_a_broken_answer_to_a_creation_is_settled_by_look_up(name, tfe, relay_of):
    async with relay_of() as relay:
        tfe.faults.add(SILENT[name], Match(method="POST"))
        await relay.idp.create_user("ada@example.com")
        await landed_once(tfe, relay, "ada@example.com")

    after = tfe.arrived(tfe.log.entries(method="POST")[0].serial)
    assert "filter" in after[0].query
    assert len(tfe.log.entries(method="POST")) == (2 if name == "reset before the effect" else 1)


@pytest.mark.parametrize("name", ["502", *SILENT])
async def test_a_broken_answer_to_an_edit_is_repeated_until_it_is_acknowledged(name, tfe, relay_of):
    async with relay_of() as relay:
        ada = await relay.idp.create_user("ada@example.com", active=False)
        await relay.settled()
        tfe.faults.add((DOWN | SILENT)[name], Match(method="PATCH"))
        await relay.idp.patch(f"/Users/{ada}", activate())
        await relay.settled()

    [found] = tfe.directory.users.named("ada@example.com")
    assert found.fields.active is True
    assert len(tfe.log.entries(method="PATCH")) == 2


# --- 404 on a bound id ----------------------------------------------------------------------


async def test_a_bound_user_that_tfe_alone_lost_is_verified_and_created_again(tfe, relay_of):
    async with relay_of() as relay:
        ada = await relay.idp.create_user("ada@example.com")
        await relay.idp.create_user("bob@example.com")
        await relay.settled()
        lost = await relay.target_id(ada)
        tfe.directory.delete_user(lost)
        since = len(tfe.log)
        await relay.idp.patch(f"/Users/{ada}", deactivate())
        await relay.settled()

        assert (await relay.idp.get(f"/Users/{ada}")).body["active"] is False
        assert await relay.target_id(ada) != lost
    asked = [entry for entry in tfe.arrived(since) if entry.path == f"/Users/{lost}"]
    assert [(entry.method, entry.status) for entry in asked] == [("PATCH", 404), ("GET", 404)]
    [found] = tfe.directory.users.named("ada@example.com")
    assert found.fields.active is False


async def test_a_deletion_of_a_user_that_tfe_alone_lost_is_done(tfe, relay_of):
    async with relay_of() as relay:
        ada = await relay.idp.create_user("ada@example.com")
        await relay.idp.create_user("bob@example.com")
        await relay.settled()
        tfe.directory.delete_user(await relay.target_id(ada))
        reply = await relay.idp.delete(f"/Users/{ada}")
        await relay.settled()
        change = await relay.store.change(int(reply.headers["X-Change-Id"]))

    assert change["state"] == "delivered"
    assert tfe.names() == ["bob@example.com"]


# --- a found object -------------------------------------------------------------------------


async def test_a_found_object_is_compared_where_filters_are_not_honoured(tfe, relay_of):
    async with relay_of() as relay:
        bob = await relay.idp.create_user("bob@example.com")
        await relay.settled()
        tfe.behave(Behaviour(ignore_filters=True))
        tfe.faults.add(fault("reset-before"), Match(method="POST"))
        ada = await relay.idp.create_user("ada@example.com")
        await landed_once(tfe, relay, "ada@example.com", "bob@example.com")

        assert await relay.target_id(ada) != await relay.target_id(bob)
        await relay.idp.patch(f"/Users/{ada}", deactivate())
        await relay.settled()
    active = {one.fields.user_name: one.fields.active for one in tfe.directory.users}
    assert active == {"ada@example.com": False, "bob@example.com": True}


async def test_a_conflict_of_a_creation_adopts_the_one_of_that_name_only(tfe, relay_of):
    async with relay_of() as relay:
        await relay.idp.create_user("bob@example.com")
        await relay.settled()
        there = tfe.directory.create_user(_fields("Ada@example.com"))
        tfe.behave(Behaviour(ignore_filters=True))
        ada = await relay.idp.create_user("ada@example.com", externalId="a-1")
        await relay.settled()

        assert await relay.target_id(ada) == there.stamp.id
    assert len(tfe.names()) == 2


def _fields(name):
    return UserFields(user_name=name, email=name, external_id=None, active=True)
