"""Every kind of fault: what the client sees, and whether the request had its effect."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from relay.simulator.faults import Fault, FaultKind, Match
from relay.simulator.service import Ending

ADA = {"userName": "ada", "emails": [{"value": "a@x"}]}


@pytest.mark.parametrize(
    ("kind", "status", "ending", "has_effect"),
    [
        (FaultKind.STATUS, 502, Ending.WHOLE, False),
        (FaultKind.STATUS_AFTER, 502, Ending.WHOLE, True),
        (FaultKind.RESET_BEFORE, 0, Ending.RESET, False),
        (FaultKind.RESET_AFTER, 0, Ending.RESET, True),
        (FaultKind.CUT, 201, Ending.CUT, True),
        (FaultKind.GARBAGE, 201, Ending.WHOLE, True),
        (FaultKind.SLOW_BEFORE, 201, Ending.WHOLE, True),
        (FaultKind.SLOW_AFTER, 201, Ending.WHOLE, True),
    ],
)
async def test_each_fault_answers_and_acts_as_its_name_says(
    call, tfe, kind, status, ending, has_effect
):
    tfe.faults.add(Fault(kind=kind, status=502, delay_s=0.001))

    answer = None
    try:
        answer = (await call("POST", "/Users", ADA)).reply
    except orjson.JSONDecodeError:
        assert kind is FaultKind.GARBAGE
    entry = tfe.log.entries()[0]

    assert len(tfe.directory.users) == has_effect
    assert (entry.executed, entry.fault) == (has_effect, kind)
    assert entry.status == status
    if answer is not None:
        assert (answer.status, answer.ending) == (status, ending)


async def test_a_status_carries_the_words_and_the_retry_after_it_was_given(call, tfe):
    tfe.faults.add(
        Fault(
            kind=FaultKind.STATUS,
            status=409,
            retry_after="Wed, 21 Oct 2026 07:28:00 GMT",
            detail="no",
            scim_type="uniqueness",
        )
    )
    tfe.faults.add(Fault(kind=FaultKind.STATUS, status=503))

    scim = await call("GET", "/Users")
    proxy = await call("GET", "/Users")

    assert (*scim.error, scim.json["detail"]) == (409, "uniqueness", "no")
    assert scim.reply.headers["Retry-After"] == "Wed, 21 Oct 2026 07:28:00 GMT"
    assert (proxy.status, proxy.reply.headers["Content-Type"]) == (503, "text/html")


async def test_a_rule_meets_only_what_it_matches_after_a_skip_and_so_often(call, tfe):
    tfe.faults.add(
        Fault(kind=FaultKind.STATUS, status=500),
        Match(method="post", path="^/Users$", body="poison", skip=1, count=2),
    )
    poison = {"userName": "poison"}

    statuses = [
        (await call("POST", "/Users", poison)).status,
        (await call("POST", "/Users", {"userName": "x"})).status,
        (await call("POST", "/Groups", poison)).status,
        (await call("PUT", "/Users", poison)).status,
        *[(await call("POST", "/Users", poison)).status for _ in range(3)],
    ]

    assert statuses == [400, 400, 400, 405, 500, 500, 400]


async def test_without_a_count_a_rule_acts_until_it_is_removed(call, tfe):
    rule = tfe.faults.add(Fault(kind=FaultKind.STATUS, status=500), Match(count=None))

    before = [(await call("GET", "/Schemas")).status for _ in range(3)]
    tfe.faults.remove(rule.ident)
    after = (await call("GET", "/Schemas")).status

    assert (before, after, rule.met) == ([500] * 3, 200, 3)


async def test_the_first_rule_that_acts_is_the_only_one(call, tfe):
    tfe.faults.add(Fault(kind=FaultKind.STATUS, status=500))
    tfe.faults.add(Fault(kind=FaultKind.STATUS, status=502))

    assert [(await call("GET", "/Users")).status for _ in range(3)] == [500, 502, 200]


@pytest.mark.parametrize(
    ("kind", "while_held"), [(FaultKind.SLOW_BEFORE, 0), (FaultKind.SLOW_AFTER, 1)]
)
async def test_a_held_request_goes_on_when_it_is_released(call, tfe, kind, while_held):
    rule = tfe.faults.add(Fault(kind=kind))
    async with asyncio.TaskGroup() as tasks:
        held = tasks.create_task(call("POST", "/Users", ADA))
        await tfe.log.until(lambda log: log.entries()[0:1] != [] and log.entries()[0].fault == kind)
        others = await call("GET", "/Users")
        assert not held.done()
        rule.release()

    assert others.json["totalResults"] == while_held
    assert held.result().status == 201
    assert len(tfe.directory.users) == 1


async def test_a_stale_read_is_answered_from_so_many_writes_ago(call, tfe):
    ada, bob = await call.user("ada"), await call.user("bob")
    group = await call.group("crew", [ada, bob])
    await call.patch(f"/Users/{ada}", {"op": "Replace", "value": {"userName": "lady"}})
    await call("DELETE", f"/Users/{ada}")

    async def stale(path, writes):
        tfe.faults.add(Fault(kind=FaultKind.STALE, writes=writes))
        return (await call("GET", path)).json

    members = {n: (await stale(f"/Groups/{group}", n)).get("members") for n in range(1, 4)}
    totals = [(await stale("/Users", n))["totalResults"] for n in (1, 2, 3, 4, 5, 99)]

    whole = [{"value": ada, "display": "lady"}, {"value": bob, "display": "bob"}]
    assert members[1] == whole
    assert members[2] == [{"value": ada, "display": "ada"}, whole[1]]
    assert members[3] is None
    assert totals == [2, 2, 2, 1, 0, 0]
    assert [bob] == await call.members(group)
    order = [user["id"] for user in (await stale("/Users", 1))["Resources"]]
    assert order == [ada, bob]


async def test_a_write_that_meets_a_stale_rule_is_done_for_good(call, tfe):
    tfe.faults.add(Fault(kind=FaultKind.STALE, writes=5))

    await call.user("ada")

    assert len(tfe.directory.users) == 1
