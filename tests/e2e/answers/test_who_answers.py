"""Transparent when idle, elastic when busy: who answers, and what a refusal becomes (A2, A3)."""

import asyncio

from support.idp import user
from support.relays import relay_for, until

from relay.simulator.faults import Fault, FaultKind, Match

FAST = {"rate": 100}


def slow(sim, **match):
    """TFE thinks until it is released; whatever it is asked then is executed."""
    fault = Fault(kind=FaultKind.SLOW_BEFORE, delay_s=None)
    return sim.faults.add(fault, Match(**match))


def refuse(sim, status=400, detail="not with that name", **match):
    return sim.faults.add(
        Fault(kind=FaultKind.STATUS, status=status, detail=detail), Match(count=None, **match)
    )


async def answered_by(relay, reply):
    found = await relay.store.change(int(reply.headers["X-Change-Id"]))
    return found["answered_by"], found["state"]


async def test_an_idle_relay_passes_tfes_answer_on(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        reply = await relay.idp.post("/Users", user("ada@example.com"))
        assert reply.status == 201
        assert await answered_by(relay, reply) == ("target", "delivered")


async def test_when_tfe_is_slow_the_directory_answers_and_its_id_stays(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST, answer={"wait": "50ms"}) as relay:
        rule = slow(unlimited, method="POST")
        reply = await relay.idp.post("/Users", user("ada@example.com"))
        assert reply.status == 201
        assert await answered_by(relay, reply) == ("directory", "pending")
        rule.release()
        await relay.settled()
        [made] = unlimited.directory.users
        assert (await relay.idp.get(f"/Users/{made.stamp.id}")).body["id"] == reply.body["id"]


async def test_while_a_hold_stands_nobody_waits(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST, answer={"wait": "60s"}) as relay:
        unlimited.pause()
        async with asyncio.timeout(20):
            first = await relay.idp.post("/Users", user("ada@example.com"))
            second = await relay.idp.post("/Users", user("bob@example.com"))
        assert (first.status, second.status) == (201, 201)
        assert (await answered_by(relay, second))[0] == "directory"


async def test_a_refusal_that_reaches_the_client_live_is_refused_and_leaves_nothing(
    unlimited, tmp_path
):
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        refuse(unlimited, method="POST")
        reply = await relay.idp.post("/Users", user("ada@example.com"))
        assert (reply.status, reply.body["detail"]) == (400, "not with that name")
        counters = await relay.counters()
        assert (counters["refused"], counters["parked"], counters["pending"]) == (1, 0, 0)
        found = await relay.idp.find("Users", 'userName eq "ada@example.com"')
        assert found.body["totalResults"] == 0


async def test_a_refusal_of_an_edit_that_reaches_the_client_live_is_rolled_back(
    unlimited, tmp_path
):
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        ada = await relay.idp.create_user("ada@example.com", externalId="old")
        refuse(unlimited, method="PATCH")
        reply = await relay.idp.patch(
            f"/Users/{ada}", {"op": "replace", "value": {"externalId": "new"}}
        )
        assert reply.status == 400
        assert (await relay.idp.get(f"/Users/{ada}")).body["externalId"] == "old"


async def test_a_live_refusal_leaves_nothing_of_the_edit_not_even_what_tfe_never_sees(
    unlimited, tmp_path
):
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        before = {"name": {"givenName": "Ada"}, "title": "Countess", "externalId": "old"}
        ada = await relay.idp.create_user("ada@example.com", **before)
        refuse(unlimited, method="PATCH")
        value = {"externalId": "new", "title": "Nobody", "name": {"givenName": "Eve"}}
        reply = await relay.idp.patch(f"/Users/{ada}", {"op": "replace", "value": value})
        assert reply.status == 400
        read = (await relay.idp.get(f"/Users/{ada}")).body
        assert {name: read[name] for name in before} == before


async def test_a_refusal_that_comes_too_late_is_parked_and_told_to_the_next_request(
    unlimited, tmp_path
):
    async with relay_for(unlimited, tmp_path, target=FAST, answer={"wait": "0s"}) as relay:
        refuse(unlimited, 422, method="POST")
        reply = await relay.idp.post("/Users", user("ada@example.com"))
        assert reply.status == 201

        async def parked():
            return (await relay.counters())["parked"] == 1

        await until(parked)
        read = await relay.idp.get(f"/Users/{reply.body['id']}")
        assert read.status == 404
        assert "not with that name" in read.body["detail"]
        again = await relay.idp.post("/Users", user("ada@example.com"))
        assert again.status in (400, 422)
        assert "not with that name" in again.body["detail"]

        unlimited.faults.clear()
        third = await relay.idp.post("/Users", user("ada@example.com"))
        assert (third.status, third.body["id"]) == (201, reply.body["id"])
        await relay.settled()
        assert len(unlimited.directory.users) == 1


async def test_a_refused_revocation_that_a_client_waits_for_is_owed_not_rolled_back(
    unlimited, tmp_path
):
    async with relay_for(unlimited, tmp_path, target=FAST, answer={"wait": "200ms"}) as relay:
        ada = await relay.idp.create_user("ada@example.com")
        refuse(unlimited, method="PATCH")
        reply = await relay.idp.patch(
            f"/Users/{ada}", {"op": "replace", "value": {"active": False}}
        )
        assert (reply.status, reply.body["active"]) == (200, False)
        assert (await relay.store.snapshot()).owed == 1
