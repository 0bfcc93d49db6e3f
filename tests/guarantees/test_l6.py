"""L6: wall time may jump either way: no stall, no storm, and nothing believed until it is there again."""

from contextlib import AsyncExitStack

import pytest
from support.idp import deactivate, user
from support.lab import lab_in

from relay.errors import Unavailable
from relay.rules.guard import Budget, GuardPolicy, Loss
from relay.rules.shadow import from_target
from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.compare.importing import ImportState

REFUSAL = Fault(kind=FaultKind.STATUS, status=400, detail="not that")
FAR_S = 300 * 86_400.0  # the stand-in's token ends after a year
JUMPS = [-3600.0, -600.0, 600.0, 3600.0, -FAR_S, FAR_S]


def refuse(lab):
    lab.tfe.faults.add(REFUSAL, Match(method="PATCH", count=None))


@pytest.mark.parametrize("jump", JUMPS)
async def test_a_resting_group_is_sent_as_soon_as_it_would_have_been(lab, jump):
    ada = await lab.user("ada@example.com")
    await lab.run()
    await lab.group("Crew", ada)
    lab.clock.set_anew(jump)
    await lab.run(within_s=2)
    assert lab.roster("Crew") == {"ada@example.com"}


@pytest.mark.parametrize("jump", JUMPS)
async def test_an_owed_revocation_is_neither_forgotten_nor_sent_in_a_storm(lab, jump):
    ada = await lab.user("ada@example.com")
    await lab.run()
    refuse(lab)
    await lab.patch(Kind.USER, ada, deactivate())
    await lab.run(within_s=300)
    before = len(lab.sent)
    lab.clock.set_anew(jump)
    await lab.run(within_s=1)
    assert len(lab.sent) - before <= 1
    await lab.run(within_s=1000)
    assert 1 <= len(lab.sent) - before <= 4


async def test_after_a_restart_under_another_time_nothing_waits_longer_than_a_back_off(tmp_path):
    async with lab_in(tmp_path) as lab:
        ada = await lab.user("ada@example.com")
        await lab.run()
        refuse(lab)
        await lab.patch(Kind.USER, ada, deactivate())
        await lab.run(within_s=300)
        tfe, clock = lab.tfe, lab.clock
    clock.set_anew(-FAR_S)
    tfe.faults.clear()
    async with lab_in(tmp_path, tfe, clock) as lab:
        await lab.run(within_s=10)
        assert lab.user_in_tfe("ada@example.com").active is False


async def test_a_jump_that_a_full_disk_kept_from_being_noted_is_noted_once_there_is_room(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    await lab.group("Crew", ada)
    most = await lab.store.run(lambda tx: tx.value("PRAGMA max_page_count"))
    lab.clock.set_anew(-3600.0)
    with pytest.raises(Unavailable, match="full"):
        await lab.store.run(_fill)
    await lab.store.run(lambda tx: tx.value(f"PRAGMA max_page_count = {most}"))
    await lab.run(within_s=2)
    assert lab.roster("Crew") == {"ada@example.com"}


def _fill(tx):
    tx.value(f"PRAGMA max_page_count = {tx.value('PRAGMA page_count')}")
    tx.run("INSERT INTO ballast (filler) VALUES (zeroblob(10000000))")


# --- what was told under a later time ----------------------------------------------------------

BACK = [3600.0, FAR_S]


class Clockwork:
    """A lab whose clock is set back while it runs, or while it is stopped."""

    def __init__(self, folder, stack, *, restarted):
        self.folder, self.stack, self.restarted = folder, stack, restarted

    async def lab(self, tfe=None, clock=None, **more):
        return await self.stack.enter_async_context(lab_in(self.folder, tfe, clock, **more))

    async def back(self, lab, seconds, **more):
        if self.restarted:
            await self.stack.aclose()
        lab.clock.set_anew(-seconds)
        return await self.lab(lab.tfe, lab.clock, **more) if self.restarted else lab


@pytest.fixture(params=["running", "stopped"])
async def clockwork(request, tmp_path):
    async with AsyncExitStack() as stack:
        yield Clockwork(tmp_path, stack, restarted=request.param == "stopped")


@pytest.mark.parametrize("back", BACK)
async def test_a_revocation_that_is_repeated_is_sent_again_although_tfe_told_of_it_later(
    clockwork, back
):
    lab = await clockwork.lab()
    ada = await lab.user("ada@example.com")
    await lab.patch(Kind.USER, ada, deactivate())
    await lab.run()
    lab = await clockwork.back(lab, back)
    await lab.user("bob@example.com")
    await lab.run()
    lab.clock.turn(600)
    mark = len(lab.sent)
    await lab.patch(Kind.USER, ada, deactivate())
    await lab.run()
    assert [one.method for one in lab.sent[mark:]] == ["PATCH"]


@pytest.mark.parametrize("back", BACK)
async def test_what_tfe_changed_is_seen_although_it_told_of_it_later(clockwork, back):
    lab = await clockwork.lab()
    ada = await lab.user("ada@example.com")
    await lab.run()
    lab = await clockwork.back(lab, back)
    await lab.user("bob@example.com")
    await lab.run()
    lab.clock.turn(1)
    found = from_target(
        Kind.USER, {**user("ada@example.com"), "id": await lab.target(ada), "active": False}
    )
    sweep = await lab.store.comparison.begin(mend=False)
    await lab.store.comparison.page(sweep, [found], 1, lab.clock.wall())
    drift = await lab.store.run(lambda tx: tx.all("SELECT name, what FROM drift"))
    assert drift == [("ada@example.com", "changed")]


@pytest.mark.parametrize("back", BACK)
async def test_what_was_spent_of_a_budget_counts_for_its_window_and_no_longer(clockwork, back):
    guard = GuardPolicy(3600.0, {Loss.DEACTIVATIONS: Budget(count=2)})
    lab = await clockwork.lab(guard=guard)
    people = await lab.users(4)
    await lab.run()
    for one in people[:2]:
        await lab.patch(Kind.USER, one, deactivate())
    await lab.run()
    lab = await clockwork.back(lab, back, guard=guard)
    await lab.edit(people[3], externalId="e-1")
    lab.clock.turn(3700)
    await lab.patch(Kind.USER, people[2], deactivate())
    await lab.run()
    assert [one.fields.active for one in lab.tfe.directory.users].count(False) == 3


async def test_an_import_after_an_erasure_ends_although_the_clock_was_set_back(clockwork):
    lab = await clockwork.lab()
    ada = await lab.user("ada@example.com")
    await lab.run()
    await lab.delete(Kind.USER, ada)
    await lab.run()
    person = await lab.store.audit.person(ada)
    await lab.store.audit.erase(person, "op (uid 0)", "ticket 4711")
    lab = await clockwork.back(lab, FAR_S)
    await lab.user("bob@example.com")
    lab.clock.turn(1)
    page = [from_target(Kind.USER, {**user("eve@example.com"), "id": "eve", "active": True})]
    await lab.store.take_page(ImportState(), page, 1, lab.clock.wall())
    assert await lab.shadow(Kind.USER, "eve") is not None
