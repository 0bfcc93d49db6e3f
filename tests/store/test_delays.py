"""Where a finished change's time went: four parts that add up to its age, told once, after the commit."""

import pytest
from support.idp import add, deactivate, patch_body
from support.lab import lab_in

from relay.rules import dialect
from relay.rules.types import Kind
from relay.rules.verdict import Answered
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.operate.listing import ChangeFilter
from relay.store.state.holds import HoldName

WHY = ("ada (uid 1000)", "a test")


@pytest.fixture
def told(lab):
    """Every change that ended, in order."""
    finished = []
    lab.store.ended_told = lambda ended, _owed: finished.extend(ended)
    return finished


async def test_the_parts_are_those_of_the_last_attempt_and_add_up(lab, told):
    await lab.user("ada@example.com")
    accepted_at = lab.clock.wall()
    lab.clock.turn(40)  # in the queue
    claim = await lab.claim()
    lab.clock.turn(3)  # for the pacer
    answer = await lab.send(claim.request)
    slot_at = lab.clock.wall()
    lab.clock.turn(7)  # for TFE
    await lab.finish(claim, answer, slot_at=slot_at)

    [one] = told
    assert (one.outcome, one.verb, one.connection, one.at) == (
        "delivered",
        "create",
        "idp",
        accepted_at,
    )
    assert (one.wait_s, one.pace_s, one.send_s) == (40, 3, 7)
    assert one.attempted


async def test_what_came_before_the_queue_is_kept_over_a_restart(tmp_path):
    async with lab_in(tmp_path) as lab:
        lab.clock.turn(10)
        write = dialect.parse_create(Kind.USER, {"userName": "ada@example.com"})
        await lab.store.directory.accept("idp", write, None, arrived=lab.clock.wall() - 1.5)
        tfe, clock = lab.tfe, lab.clock
    clock.turn(3600)
    async with lab_in(tmp_path, tfe, clock) as lab:
        finished = []
        lab.store.ended_told = lambda ended, _owed: finished.extend(ended)
        await lab.run()

    [one] = finished
    assert (one.accept_s, one.wait_s) == (1.5, 3600)


async def test_earlier_attempts_and_holds_are_waiting(lab, told):
    lab.tfe.faults.add(Fault(kind=FaultKind.STATUS, status=429, retry_after="30"), Match(count=1))
    await lab.user("ada@example.com")
    await lab.run(within_s=20)
    assert told == []
    lab.clock.turn(60)
    await lab.store.lift(HoldName.THROTTLED)
    await lab.run()

    [one] = told
    assert one.wait_s >= 60


async def test_one_request_that_ends_many_changes_tells_of_each(lab, told):
    people = await lab.users(5)
    crew = await lab.group("Crew")
    await lab.run()
    told.clear()
    for who in people:
        await lab.patch(Kind.GROUP, crew, add(who))
        lab.clock.turn(0.01)
    await lab.run()

    assert len(told) == 5
    assert [one.change for one in told] == sorted(one.change for one in told)
    assert [round(one.wait_s, 2) for one in told] == [0.29, 0.28, 0.27, 0.26, 0.25]


async def test_a_write_that_changes_nothing_ends_as_it_is_accepted(lab, told):
    ada = await lab.user("ada@example.com")
    await lab.run()
    told.clear()
    await lab.patch(Kind.USER, ada, {"op": "replace", "value": {"nickName": "A"}})

    [one] = told
    assert (one.outcome, one.wait_s, one.attempted) == ("delivered", 0, False)


async def test_every_other_end_is_told_once(lab, told):
    owed = []
    lab.store.ended_told = lambda ended, refused: (told.extend(ended), owed.extend(refused))
    refusal = Fault(kind=FaultKind.STATUS, status=422, detail="no")
    ada, bob = await lab.users(2)
    await lab.run()
    told.clear()
    lab.tfe.faults.add(refusal, Match(method="PATCH", count=None))
    await lab.edit(ada, externalId="e-1")
    live = dialect.parse_patch(
        Kind.USER, patch_body({"op": "replace", "value": {"externalId": "e"}})
    )
    await lab.run()
    await lab.accept(live, bob, waits=True)
    await lab.run()
    await lab.patch(Kind.USER, bob, deactivate())
    await lab.run(within_s=60)
    for state in ("parked", "pending"):
        [row] = await lab.store.changes(ChangeFilter(state=state))
        await lab.store.desk.drop(row["id"], *WHY)

    assert [(one.outcome, one.status) for one in told] == [
        ("parked", 422),
        ("refused", 422),
        ("dropped", 422),
        ("dropped", 410),
    ]
    assert [one.status for one in owed] == [422]  # once, however often it is tried


async def test_a_clock_set_back_makes_no_part_negative(lab, told):
    await lab.user("ada@example.com")
    claim = await lab.claim()
    answer = await lab.send(claim.request)
    assert isinstance(answer, Answered)
    lab.clock.set_anew(-3600)
    await lab.finish(claim, answer, slot_at=lab.clock.wall())

    [one] = told
    assert min(one.wait_s, one.pace_s, one.send_s) >= 0
