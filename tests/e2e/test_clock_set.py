"""Somebody sets the clock of a running relay, or while it is stopped: real processes (L6).

Each relay reads its wall time from a file; the stand-in's stays true.
"""

import pytest
from support.idp import Idp, add, deactivate
from support.relays import RelayProcess, typed, until, write_config

from relay.simulator.faults import Fault, FaultKind, Match

YEAR_S = 365 * 86_400
JUMPS = [3600, -3600, YEAR_S, -YEAR_S]
SHIM = """
import time
true = time.time
time.time = lambda: true() + float(open({file!r}).read())
"""


@pytest.fixture
def wall(tmp_path):
    """The file that says by how much wall time is wrong, and the environment that reads it."""
    file, folder = tmp_path / "wall", tmp_path / "shim"
    file.write_text("0")
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SHIM.format(file=str(file)))
    return file, {"PYTHONPATH": str(folder)}


async def started(config, environ):
    relay = RelayProcess(config, environ)
    await relay.start()
    await relay.imported()
    return relay


async def filled(idp):
    """Two users, and a group that has one of them."""
    ada, bob = [await idp.create_user(f"{name}@example.com") for name in ("ada", "bob")]
    return ada, bob, await idp.create_group("Crew", ada)


def active(sim, name):
    [user] = sim.directory.users.named(name)
    return user.fields.active


@pytest.mark.parametrize("jump", JUMPS)
async def test_what_waits_goes_on_as_if_nobody_had_touched_the_clock(
    unlimited, tmp_path, wall, jump
):
    file, environ = wall
    config = write_config(unlimited, tmp_path, target={"rate": 100}, answer={"wait": "0s"})
    relay = await started(config, environ)
    async with Idp(relay.base) as idp:
        ada, bob, crew = await filled(idp)
        await relay.settled()
        refusal = Fault(kind=FaultKind.STATUS, status=400, detail="no")
        unlimited.faults.add(refusal, Match(method="PATCH", path="Users", count=1))
        await idp.patch(f"/Users/{ada}", deactivate())
        await until(lambda: any(one.get("event") == "revocation.owed" for one in relay.lines))
        slow = Fault(kind=FaultKind.STATUS, status=429, retry_after="2")
        unlimited.faults.add(slow, Match(method="POST"))
        await idp.create_user("eve@example.com")
        await until(lambda: any(one.get("hold") == "throttled" for one in relay.lines))
        file.write_text(str(jump))
        await idp.patch(f"/Groups/{crew}", add(bob))
    await relay.settled()
    await until(lambda: not active(unlimited, "ada@example.com"))
    [group] = unlimited.directory.groups

    assert len(group.fields.members) == 2
    assert len(unlimited.directory.users) == 3
    assert [one["by_s"] for one in relay.lines if one.get("event") == "clock.stepped"] == [jump]
    assert await relay.stop() == 0
    assert (await typed(None, "verify", str(tmp_path / "relay.db")))[0] == 0


# By less than the longest wait there is, nobody can tell a wait from a clock that was ahead.
@pytest.mark.parametrize("jump", [7200, -7200, YEAR_S, -YEAR_S])
async def test_a_database_of_another_time_is_gone_on_with_at_once(unlimited, tmp_path, wall, jump):
    file, environ = wall
    file.write_text(str(jump))
    config = write_config(unlimited, tmp_path, target={"rate": 100}, answer={"wait": "0s"})
    relay = await started(config, environ)
    async with Idp(relay.base) as idp:
        ada, bob, crew = await filled(idp)
        await relay.settled()
        refusal = Fault(kind=FaultKind.STATUS, status=400, detail="no")
        rule = unlimited.faults.add(refusal, Match(method="PATCH", count=None))
        await idp.patch(f"/Users/{ada}", deactivate())
        await until(lambda: any(one.get("event") == "revocation.owed" for one in relay.lines))
    await relay.kill()
    unlimited.faults.remove(rule.ident)
    file.write_text("0")
    again = RelayProcess(config, environ)
    await again.start()
    async with Idp(again.base) as idp:
        await idp.patch(f"/Groups/{crew}", add(bob))
    await again.settled()
    [group] = unlimited.directory.groups

    assert (active(unlimited, "ada@example.com"), len(group.fields.members)) == (False, 2)
    assert await again.stop() == 0
