"""Hold `down` over sockets: refused, reset, 5xx of proxies; nothing is lost, nothing is doubled."""

import pytest
from support.relays import relay_for, until
from support.targets import is_probe, overlapping

from relay.simulator.faults import Fault, FaultKind, Match

FAST = {"rate": 100}
NAMES = [f"user{number}@example.com" for number in range(4)]
BAD_GATEWAY = Fault(kind=FaultKind.STATUS, status=502)


@pytest.fixture
async def relay(tfe, tmp_path):
    sections = {"target": FAST, "answer": {"wait": "0s"}}
    async with relay_for(tfe, tmp_path, **sections) as relay:
        yield relay


async def created(relay):
    for name in NAMES:
        await relay.idp.create_user(name)


async def test_a_tfe_that_is_gone_and_comes_back_is_brought_to_the_same_state(tfe, relay):
    await tfe.stop()
    since = len(tfe.log)
    await created(relay)
    await relay.held("down")
    assert (await relay.counters())["pending"] == len(NAMES)

    await tfe.start()
    await relay.settled()

    assert is_probe(tfe.arrived(since)[0])
    assert tfe.landed(since) == NAMES


async def test_while_tfe_is_down_it_is_met_with_one_probe_at_a_time(tfe, relay):
    tfe.faults.add(BAD_GATEWAY, Match(count=None))
    await created(relay)
    await relay.held("down")
    since = len(tfe.log)
    await until(lambda: len(tfe.arrived(since)) >= 3)

    probes = tfe.arrived(since)
    assert all(is_probe(entry) for entry in probes)
    assert overlapping(probes) == []
    counters = await relay.counters()
    assert (counters["pending"], counters["parked"]) == (len(NAMES), 0)


async def test_after_an_outage_tfe_is_met_slowly(tfe, relay):
    tfe.faults.add(BAD_GATEWAY, Match(method="POST"))
    await created(relay)
    await relay.held("down")
    await relay.free()

    assert (await relay.status())["rate"] < 0.5 * FAST["rate"]
    await relay.settled()
