"""What cannot be read as an answer is none: nobody is absent by it, and nobody waits behind it."""

import pytest
from support.lab import lab_in

from relay.rules.verdict import Answered
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.deliver.claiming import Idle

PAGES = [None, 404, {}, {"id": "other", "userName": "x"}, {"Resources": [{"id": 5}]}, [], "a page"]


async def reads_answered(lab, page, most=200, within_s=60.0):
    """Deliver while each read is answered with this; requests that were sent."""
    sent, end_s = 0, lab.clock.now_s + within_s
    while sent < most and lab.clock.now_s < end_s:
        claim = await lab.claim()
        if isinstance(claim, Idle):
            lab.clock.turn(1)
            continue
        sent += 1
        if claim.request.method == "GET":
            answer = (404, None) if page == 404 else (200, page)
            await lab.finish(claim, Answered(answer[0], {}, answer[1], lab.clock.wall()))
        else:
            await lab.finish(claim, await lab.send(claim.request))
    return sent


@pytest.mark.parametrize("page", [page for page in PAGES if page != 404])
async def test_a_lane_that_is_not_read_back_waits_and_others_go_on(tmp_path, page):
    async with lab_in(tmp_path) as lab:
        ada, bob = await lab.users(2)
        await lab.run()
        unknown = Fault(kind=FaultKind.STATUS, status=404, detail="not found")
        hers = Match(method="PATCH", path=await lab.target(ada), count=None)
        lab.tfe.faults.add(unknown, hers)
        await lab.edit(ada, externalId="e-1")
        await lab.edit(bob, externalId="e-2")

        assert await reads_answered(lab, page) < 60
        assert lab.user_in_tfe("user00001@example.com").external_id == "e-2"
        await lab.run(within_s=300)
        assert (await lab.counters())["parked"] == 1  # it is there, so the 404 stands (K4)


@pytest.mark.parametrize("page", PAGES)
async def test_a_creation_in_doubt_is_looked_up_until_a_list_comes(tmp_path, page):
    async with lab_in(tmp_path) as lab:
        lab.tfe.faults.add(Fault(kind=FaultKind.RESET_AFTER), Match(method="POST", count=1))
        ada = await lab.user("ada@example.com")
        await reads_answered(lab, page)
        assert (await lab.counters())["pending"] == 1

        await lab.run(within_s=300)
        assert (await lab.counters())["delivered"] == 1
        assert await lab.target(ada) is not None
        assert [one.method for one in lab.sent].count("POST") == 1


async def test_a_look_up_that_is_refused_for_hours_is_repeated_ever_more_seldom(tmp_path):
    async with lab_in(tmp_path) as lab:
        lab.tfe.faults.add(Fault(kind=FaultKind.RESET_AFTER), Match(method="POST", count=1))
        await lab.user("ada@example.com")

        assert await reads_answered(lab, None, within_s=4 * 3600.0) < 4 * 3600 / 140 + 15
        await lab.run(within_s=300)
        assert (await lab.counters())["delivered"] == 1
