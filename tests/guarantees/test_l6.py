"""L6: wall time may jump either way: no stall, no storm."""

import pytest
from support.idp import deactivate
from support.lab import lab_in

from relay.errors import Unavailable
from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match

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
