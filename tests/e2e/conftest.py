"""Stand-ins for TFE that every end-to-end test may ask for."""

import pytest

from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.server import simulator


@pytest.fixture
async def unlimited():
    """A stand-in that answers as fast as it is asked, with every body kept in its log."""
    async with simulator(SimulatorSettings(limit=RateLimit(rate=0), keep_bodies=True)) as sim:
        yield sim
