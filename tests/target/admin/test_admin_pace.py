"""The reader against the stand-in's limits, in virtual time: no 429, and hardly slower than allowed."""

from __future__ import annotations

import asyncio

import pytest
from support.admin_api import MemoryAdmin

from relay.clock import RandomIds
from relay.simulator.seed import sow
from relay.simulator.tfe import Tfe
from relay.target.admin import AdminReader, Budgets

pytestmark = pytest.mark.looptime


class LoopClock:
    """The stand-in's time is the loop's."""

    def wall(self):
        return 1_700_000_000.0 + self.monotonic()

    def monotonic(self):
        return asyncio.get_running_loop().time()


@pytest.fixture
async def tfe():
    return Tfe(clock=LoopClock())


async def gathered(number, read):
    async with asyncio.TaskGroup() as tasks:
        for _ in range(number):
            tasks.create_task(read())


@pytest.mark.parametrize("ways", [(0, 0), (0.005, 0.005), (0.03, 0), (0, 0.03)])
async def test_two_hundred_reads_of_the_settings_meet_no_429_and_take_ten_seconds(tfe, ways):
    reader = AdminReader(MemoryAdmin(tfe, *ways), Budgets(), RandomIds())
    await gathered(200, reader.settings)

    entries = tfe.log.entries()
    took_s = entries[-1].monotonic_s - entries[0].monotonic_s
    assert {entry.status for entry in entries} == {200}
    assert took_s == pytest.approx(9, rel=0.05)


async def test_other_reads_do_not_wait_for_those_of_the_settings(tfe):
    sow(tfe.directory, {"groups": [{"displayName": f"g{n}"} for n in range(250)]})
    reader = AdminReader(MemoryAdmin(tfe), Budgets(), RandomIds())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(gathered(60, reader.settings))
        listing = tasks.create_task(reader.groups())

    entries = tfe.log.entries()
    last_page = tfe.log.entries(path="/api/v2/admin/scim-groups")[-1]
    assert len(listing.result()) == 250
    assert {entry.status for entry in entries} == {200}
    assert last_page.monotonic_s < entries[-1].monotonic_s - 1


async def test_others_who_use_up_the_limit_are_waited_for(tfe):
    """Limits are a caller's: two relays with one administrator's token share one."""
    admin = MemoryAdmin(tfe)
    readers = [AdminReader(admin, Budgets(), RandomIds()) for _ in range(2)]
    async with asyncio.TaskGroup() as tasks:
        for reader in readers:
            tasks.create_task(gathered(30, reader.settings))

    statuses = [entry.status for entry in tfe.log.entries()]
    assert statuses.count(200) == 60
    assert 429 in statuses
