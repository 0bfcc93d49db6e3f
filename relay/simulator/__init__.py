"""A stand-in for Terraform Enterprise that keeps its contract and can be told to misbehave.

An independent reading of the contract (`tfe-scim-contract.md`): it shares numbers and names with
the relay (`relay.rules.contract`), no logic. Used by tests, `demo` and operators' dry runs:

    async with simulator(SimulatorSettings(token="t")) as sim:
        sim.url, sim.token, sim.pause(), sim.directory, sim.faults, sim.log
"""

from relay.simulator.behaviour import (
    Behaviour,
    Latency,
    RateLimit,
    RetryForm,
    SimulatorSettings,
    Window,
)
from relay.simulator.faults import Fault, FaultKind, Match
from relay.simulator.server import Simulator, simulator
from relay.simulator.tfe import Tfe

__all__ = [
    "Behaviour",
    "Fault",
    "FaultKind",
    "Latency",
    "Match",
    "RateLimit",
    "RetryForm",
    "Simulator",
    "SimulatorSettings",
    "Tfe",
    "Window",
    "simulator",
]
