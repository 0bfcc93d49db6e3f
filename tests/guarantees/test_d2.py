"""D2: a POST whose outcome is unknown is settled by a look-up, and never doubled.

Its finer cases (stale reads, foreign holders, look-ups that kill) are in
`tests/store/test_doubts.py`. Control: without the look-up, a TFE that lets duplicates in has two.
"""

import pytest
from support.lab import Lab, LabClock, lab_in

from relay.rules.types import Kind
from relay.simulator.behaviour import Behaviour, RateLimit, SimulatorSettings
from relay.simulator.faults import Fault, FaultKind, Match
from relay.simulator.tfe import Tfe

EXECUTED = [
    (FaultKind.RESET_AFTER, 0),
    (FaultKind.CUT, 0),
    (FaultKind.GARBAGE, 0),
    (FaultKind.SLOW_AFTER, 0),
    (FaultKind.STATUS_AFTER, 500),
    (FaultKind.STATUS_AFTER, 502),
    (FaultKind.STATUS_AFTER, 504),
]
NOT_EXECUTED = [
    (FaultKind.RESET_BEFORE, 0),
    (FaultKind.STATUS, 500),
    (FaultKind.STATUS, 503),
]
LOOK_UPS = {
    "works": None,
    "is reset": Fault(kind=FaultKind.RESET_BEFORE),
    "is a 502": Fault(kind=FaultKind.STATUS, status=502),
    "is garbage": Fault(kind=FaultKind.GARBAGE),
}


def lenient(folder):
    """A lab whose TFE lets duplicates in: what the relay doubles is seen."""
    clock = LabClock()
    settings = SimulatorSettings(limit=RateLimit(rate=0), behaviour=Behaviour(unique=False))
    return lab_in(folder, Tfe(settings, clock=clock), clock)


async def in_doubt(lab: Lab, kind, fault):
    """Create something whose first POST is met by a fault."""
    lab.tfe.faults.add(fault, Match(method="POST", count=1))
    if kind is Kind.USER:
        return await lab.user("ada@example.com", externalId="e-1")
    return await lab.group("Crew", externalId="e-1")


def held(lab, kind):
    directory = lab.tfe.directory
    return len(directory.users if kind is Kind.USER else directory.groups)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("look_up", LOOK_UPS)
@pytest.mark.parametrize(("fault", "status"), EXECUTED + NOT_EXECUTED)
async def test_it_ends_with_exactly_one_whatever_met_it(fault, status, look_up, kind, tmp_path):
    async with lenient(tmp_path) as lab:
        made = await in_doubt(lab, kind, Fault(kind=fault, status=status, delay_s=100.0))
        if LOOK_UPS[look_up]:
            lab.tfe.faults.add(LOOK_UPS[look_up], Match(method="GET", count=1))
        for _ in range(4):
            await lab.run()
            lab.clock.turn(1000)
        await lab.late_requests_end()

        assert held(lab, kind) == 1
        assert await lab.target(made) is not None
        assert (await lab.counters())["pending"] == 0


@pytest.mark.parametrize("kind", Kind)
async def test_a_post_that_takes_effect_after_its_repetition_meets_tfes_unique_names(kind, lab):
    """Whoever looks up too early finds nobody: only TFE can refuse the second then (contract)."""
    made = await in_doubt(lab, kind, Fault(kind=FaultKind.SLOW_BEFORE, delay_s=100.0))
    await lab.run()
    lab.clock.turn(1000)
    await lab.late_requests_end()
    await lab.run()

    assert held(lab, kind) == 1
    assert await lab.target(made) is not None
    assert (await lab.counters())["pending"] == 0


async def test_without_the_look_up_the_same_fault_makes_two(tmp_path):
    async with lenient(tmp_path) as lab:
        await in_doubt(lab, Kind.USER, Fault(kind=FaultKind.RESET_AFTER))
        await lab.run(most=1)
        await lab.store.run(lambda tx: tx.run("UPDATE lane SET ask = NULL, doubt = NULL"))
        await lab.run()
        assert held(lab, Kind.USER) == 2
