"""What the proofs share: a lab, stand-ins for TFE, and the front alone."""

import pytest
from support.front_fakes import running
from support.lab import lab_in
from support.targets import target

from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.server import simulator


@pytest.fixture
async def lab(tmp_path):
    async with lab_in(tmp_path) as lab:
        yield lab


@pytest.fixture
async def unlimited():
    """A stand-in that answers as fast as it is asked, with every body kept in its log."""
    async with simulator(SimulatorSettings(limit=RateLimit(rate=0), keep_bodies=True)) as sim:
        yield sim


@pytest.fixture
async def tfe():
    """A TFE that can be stopped and started, without a rate limit, its bodies logged."""
    async with target() as tfe:
        yield tfe


@pytest.fixture
async def site():
    async with running() as started:
        yield started
