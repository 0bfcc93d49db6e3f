"""D6: a change that kills the process cannot crash-loop it: attempts are counted before sending.

At the third start the suspect is parked, or looked up; a revocation stays owed.
"""

from support.idp import add, deactivate
from support.lab import lab_in

from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.deliver.claiming import Idle
from relay.store.state.claims import Purpose


async def deaths(tmp_path, lab, count):
    """Die so many times while the lane's next write is under way, its effect done."""
    for _ in range(count):
        async with lab_in(tmp_path, lab.tfe, lab.clock) as dying:
            claim = await dying.claim()
            while claim.request.method == "GET":
                await dying.finish(claim, await dying.send(claim.request))
                claim = await dying.claim()


async def test_a_creation_in_flight_at_three_deaths_that_tfe_has_is_found_and_not_parked(tmp_path):
    async with lab_in(tmp_path) as lab:
        ada = await lab.user("ada@example.com")
    await deaths(tmp_path, lab, 2)
    async with lab_in(tmp_path, lab.tfe, lab.clock) as third:
        lookup = await third.step()
        assert lookup.method == "GET"
        claim = await third.claim()
        await third.send(claim.request)
    async with lab_in(tmp_path, lab.tfe, lab.clock) as last:
        sent = await last.run()

        assert [one.method for one in sent] == ["GET"]
        assert (await last.counters())["delivered"] == 1
        assert await last.target(ada) is not None
    assert len(lab.tfe.directory.users) == 1


async def test_a_look_up_that_kills_the_process_does_not_kill_it_for_ever(tmp_path):
    async with lab_in(tmp_path) as lab:
        await lab.user("ada@example.com")
    async with lab_in(tmp_path, lab.tfe, lab.clock) as first:
        await first.claim()
    for _ in range(6):
        async with lab_in(tmp_path, lab.tfe, lab.clock) as dying:
            await dying.claim()
    async with lab_in(tmp_path, lab.tfe, lab.clock) as last:
        assert (await last.counters())["parked"] == 1
        assert await last.run() == []


async def test_a_verifying_read_that_kills_the_process_is_not_asked_for_ever(tmp_path):
    async with lab_in(tmp_path) as lab:
        ada = await lab.user("ada@example.com")
        await lab.run()
        reset = Fault(kind=FaultKind.RESET_AFTER)
        lab.tfe.faults.add(reset, Match(method="PATCH", count=1))
        await lab.edit(ada, externalId="e-1")
        await lab.run(most=2)
    died = 0
    for _ in range(12):
        async with lab_in(tmp_path, lab.tfe, lab.clock) as dying:
            dying.clock.turn(3600)
            claim = await dying.claim()
            if isinstance(claim, Idle):
                break
            if claim.purpose is not Purpose.VERIFY:
                await dying.finish(claim, await dying.send(claim.request))
                continue
            died += 1
    async with lab_in(tmp_path, lab.tfe, lab.clock) as last:
        last.clock.turn(3600)
        assert await last.run() == []
        assert (await last.counters())["pending"] == 0
    assert died == 6


async def test_a_revocation_in_flight_at_three_deaths_is_owed(tmp_path):
    async with lab_in(tmp_path) as lab:
        ada = await lab.user("ada@example.com")
        await lab.run()
        revoked = await lab.patch(Kind.USER, ada, deactivate())
    await deaths(tmp_path, lab, 3)
    async with lab_in(tmp_path, lab.tfe, lab.clock) as last:
        assert await last.state(revoked.change) == "pending"
        await last.run(within_s=7_200)

        assert await last.state(revoked.change) == "delivered"
        assert last.user_in_tfe("ada@example.com").active is False


async def test_a_roster_change_in_flight_at_every_death_is_found_and_the_others_are_sent(tmp_path):
    async with lab_in(tmp_path) as lab:
        people = await lab.users(8)
        crew = await lab.group("Engineering")
        await lab.run()
        added = [await lab.patch(Kind.GROUP, crew, add(one)) for one in people]
        poison = await lab.target(people[5])
        lab.clock.turn(1)
    died = 0
    alive = False
    while not alive and died < 20:
        async with lab_in(tmp_path, lab.tfe, lab.clock) as again:
            alive = await _lives(again, poison)
        died += not alive
    async with lab_in(tmp_path, lab.tfe, lab.clock) as last:
        states = [await last.state(one.change) for one in added]

        assert states == ["delivered"] * 5 + ["parked"] + ["delivered"] * 2
        assert len(last.roster("Engineering")) == 7
        assert await last.members(crew) == {one for one in people if one != people[5]}
    assert died <= 3 + 3  # three deaths of the whole, then one for each halving of eight


async def _lives(lab, poison):
    """Send all that is due; False when a request that names the poison killed the process."""
    while True:
        lab.clock.turn(1)
        claim = await lab.claim()
        if isinstance(claim, Idle):
            return True
        if poison in {target for _, target in claim.adds}:
            return False
        await lab.finish(claim, await lab.send(claim.request))


async def test_a_deactivation_is_not_parked_with_the_edit_that_kills_the_relay(tmp_path):
    async with lab_in(tmp_path) as lab:
        ada = await lab.user("ada@example.com")
        await lab.run()
        edited = await lab.edit(ada, externalId="poison")
        revoked = await lab.patch(Kind.USER, ada, deactivate())
    for _ in range(12):
        async with lab_in(tmp_path, lab.tfe, lab.clock) as again:
            claim = await again.claim()
            while not isinstance(claim, Idle) and "poison" not in str(claim.request.body):
                await again.finish(claim, await again.send(claim.request))
                claim = await again.claim()
            if isinstance(claim, Idle):
                break
    async with lab_in(tmp_path, lab.tfe, lab.clock) as last:
        assert await last.state(edited.change) == "parked"
        assert await last.state(revoked.change) == "delivered"
        assert last.user_in_tfe("ada@example.com").active is False
