"""Two things under way at once: no revocation is lost, nobody is left behind (K1, D2)."""

import asyncio

import pytest
from support.idp import activate, add, deactivate, remove, user

from relay.rules import dialect
from relay.rules.types import Kind
from relay.rules.verdict import Answered
from relay.simulator import Fault, FaultKind, Match
from relay.store.deliver.claiming import Idle
from relay.store.operate.listing import ChangeFilter
from relay.store.state.claims import Purpose


async def test_a_verification_under_way_loses_no_revocation(lab):
    one = await lab.user("ann@example.com")
    await lab.run()
    # leave a verification behind: a doubtful PATCH, then its success
    lab.tfe.faults.add(Fault(kind=FaultKind.RESET_AFTER), Match(method="PATCH"))
    await lab.patch(Kind.USER, one, deactivate())
    await lab.run()
    assert not lab.user_in_tfe("ann@example.com").active
    lab.clock.turn(61)
    verify = await lab.claim()
    assert verify.purpose is Purpose.VERIFY
    answer = await lab.send(verify.request)  # TFE said: inactive; the answer is slow
    await lab.patch(Kind.USER, one, activate())  # the IdP reactivates meanwhile
    assert isinstance(await lab.claim(), Idle)  # one attempt in flight per lane
    await lab.patch(Kind.USER, one, deactivate())
    await lab.finish(verify, answer)
    await lab.run(within_s=400)
    assert not lab.user_in_tfe("ann@example.com").active


async def test_a_creation_refused_by_a_second_500_that_took_effect_leaves_nobody(lab):
    await lab.user("other@example.com")
    await lab.run()
    lab.tfe.faults.add(Fault(kind=FaultKind.STATUS, status=500), Match(method="POST"))
    lab.tfe.faults.add(Fault(kind=FaultKind.STATUS_AFTER, status=500), Match(method="POST"))
    one = await lab.user("ann@example.com")
    await lab.run(within_s=4000)
    assert (lab.user_in_tfe("ann@example.com") is None) == (
        await lab.shadow(Kind.USER, one) is None
    )


async def test_a_creation_refused_by_two_500s_without_effect_is_parked_after_a_look(lab):
    await lab.user("other@example.com")
    await lab.run()
    refused = Fault(kind=FaultKind.STATUS, status=500, detail="no")
    lab.tfe.faults.add(refused, Match(method="POST", count=None))
    one = await lab.user("ann@example.com")
    await lab.run(within_s=4000)

    assert await lab.shadow(Kind.USER, one) is None
    why = await lab.store.directory.why_missing(Kind.USER, one)
    assert (why["status"], why["detail"]) == (500, "no")
    assert (await lab.counters())["parked"] == 1


async def test_a_creation_that_is_executed_late_does_not_survive_its_deletion(lab):
    lab.tfe.faults.add(Fault(kind=FaultKind.SLOW_BEFORE), Match(method="POST"))
    one = await lab.user("ann@example.com")
    await lab.step()  # no answer in 60 s: TFE is still at it
    gone = await lab.delete(Kind.USER, one)
    await lab.run(within_s=30)
    await lab.late_requests_end()
    assert lab.user_in_tfe("ann@example.com") is not None
    await lab.run(within_s=400)

    assert lab.user_in_tfe("ann@example.com") is None
    assert await lab.state(gone.change) == "delivered"
    await lab.counters()


async def test_a_member_who_goes_while_it_is_being_added_is_counted_out_once(lab):
    one, two = await lab.user("one@example.com"), await lab.user("two@example.com")
    team = await lab.group("Team")
    await lab.run()
    await lab.patch(Kind.GROUP, team, add(one), add(two))
    lab.clock.turn(1.0)
    adding = await lab.claim()
    await lab.delete(Kind.USER, one)
    deleting = await lab.claim()
    await lab.finish(deleting, await lab.send(deleting.request))
    await lab.store.release(adding)

    sizes = await lab.store.run(
        lambda tx: tx.all("SELECT size, c_size FROM resource WHERE kind = 'Group'")
    )
    assert sizes == [(1, 0)]


async def test_a_client_that_goes_does_not_end_the_wait_of_its_twin(lab):
    write = dialect.parse_create(Kind.USER, user("ada@example.com"))
    change = (await lab.accept(write, waits=True)).change
    gone, stays = [asyncio.ensure_future(lab.settlement(change)) for _ in range(2)]
    await lab.counters()  # by now both wait
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    await lab.store.directory.client_gone(change)
    await lab.run()
    async with asyncio.timeout(1):
        told = await stays

    assert told.state == "delivered"


async def test_a_404_for_somebody_deleted_meanwhile_is_no_refusal_of_the_group(lab):
    ada, bob = await lab.users(2)
    crew = await lab.group("Crew")
    await lab.run()
    added = await lab.patch(Kind.GROUP, crew, add(ada, bob))
    lab.clock.turn(1)
    claim = await lab.claim()
    await lab.delete(Kind.USER, ada)
    gone = Answered(404, {}, {"detail": "no such user"}, lab.clock.wall())
    await lab.finish(claim, gone)
    sent = await lab.run()

    assert {one.method for one in sent} == {"DELETE", "PATCH"}  # planned again, nothing is asked
    assert await lab.state(added.change) == "delivered"
    assert lab.roster("Crew") == {"user00001@example.com"}


@pytest.mark.parametrize(
    "first",
    [
        Fault(kind=FaultKind.STATUS, status=422, detail="no"),
        Fault(kind=FaultKind.RESET_BEFORE),
        Fault(kind=FaultKind.STATUS, status=500),
    ],
    ids=["refused", "reset", "failed"],
)
async def test_a_group_whose_member_leaves_while_its_creation_fails_is_parked_once_refused(
    lab, first
):
    ids = await lab.users(3)
    await lab.run()
    lab.tfe.faults.add(first, Match(method="POST"))
    refused = Fault(kind=FaultKind.STATUS, status=422, detail="no")
    lab.tfe.faults.add(refused, Match(method="POST", count=None))
    crew = await lab.group("Crew", *ids)
    lab.clock.turn(1)
    creation = await lab.claim()
    removal = await lab.patch(Kind.GROUP, crew, remove(ids[2]))
    await lab.finish(creation, await lab.send(creation.request))
    sent = await lab.run(most=20, within_s=600)

    assert len(sent) < 10
    assert (await lab.counters())["pending"] == 0
    assert await lab.state(removal.change) in ("delivered", "parked")
    [parked, *_] = (await lab.store.changes(ChangeFilter(state="parked")))[::-1]
    lab.tfe.faults.clear()
    await lab.store.desk.retry(parked["id"], "ada", "TFE takes it now")
    await lab.run()
    assert lab.roster("Crew") == {"user00000@example.com", "user00001@example.com"}
