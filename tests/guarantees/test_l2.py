"""L2: one daemon has the file; what was being sent at a death is unknown, and looked up, not timed.

A full queue starts as well: `test_a8`.
"""

import asyncio

import pytest
from support.idp import Idp
from support.lab import lab_in
from support.relays import RelayProcess, typed, write_config

from relay.simulator.faults import Fault, FaultKind, Match


async def test_a_second_daemon_on_the_file_leaves_with_its_own_exit_code(unlimited, tmp_path):
    relay = RelayProcess(write_config(unlimited, tmp_path))
    await relay.start()
    second = await asyncio.create_subprocess_exec(*relay.command, stderr=asyncio.subprocess.PIPE)
    _, said = await second.communicate()

    assert second.returncode == 5
    assert b"another relay holds it" in said
    async with Idp(relay.base) as idp:
        assert (await idp.get("/ServiceProviderConfig")).status == 200
    assert await relay.stop() == 0


@pytest.mark.parametrize("link", ["soft", "hard"])
async def test_a_second_name_of_the_file_is_no_second_file(unlimited, tmp_path, link):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    relay = RelayProcess(write_config(unlimited, first))
    await relay.start()
    assert await relay.stop() == 0  # the first start makes the file
    await relay.start()
    if link == "soft":
        (second / "relay.db").symlink_to(first / "relay.db")
    else:
        (second / "relay.db").hardlink_to(first / "relay.db")
    write_config(unlimited, second)
    code, shown = await typed(second, "serve")

    assert (code, "another relay holds it" in shown) == (5, True), shown
    assert await relay.stop() == 0


async def test_what_was_being_sent_at_a_death_is_looked_up_at_once_and_not_repeated(tmp_path):
    async with lab_in(tmp_path) as lab:
        await lab.user("ada@example.com")
        claim = await lab.claim()
        await lab.send(claim.request)
    async with lab_in(tmp_path, lab.tfe, lab.clock) as again:
        sent = await again.run(within_s=0.0)

        assert [one.method for one in sent] == ["GET"]
        assert (await again.counters())["delivered"] == 1


async def test_who_takes_long_is_not_rescued_by_a_clock(tmp_path):
    async with lab_in(tmp_path) as lab:
        lab.tfe.faults.add(Fault(kind=FaultKind.SLOW_AFTER, delay_s=60.0), Match(method="POST"))
        await lab.user("ada@example.com")
        claim = await lab.claim()
        lab.clock.turn(7 * 86_400.0)
        assert await lab.run(within_s=60.0) == []
        await lab.finish(claim, await lab.send(claim.request, str(claim.attempt)))
        lab.clock.turn(1000)
        await lab.run()
        assert len(lab.tfe.directory.users) == 1
