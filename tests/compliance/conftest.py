"""What the compliance tests share: a quick stand-in, and programs of others."""

from __future__ import annotations

import pytest
from environments import debian_programs, documents_in, node_programs, python_programs
from image import ROOT, replayed
from support.relays import relay_for

from relay.simulator import RateLimit, SimulatorSettings, simulator

QUICK = SimulatorSettings(limit=RateLimit(rate=200))
MADE_UP = "{userName}@users.noreply.example.com"
"""The test suites create users without an address, which TFE refuses."""
UNGUARDED = {"max_deactivations": 0, "max_deletions": 0, "max_removals": 0}
"""They delete all they made, which is what the guard would hold."""


@pytest.fixture
async def sim():
    async with simulator(QUICK) as sim:
        yield sim


@pytest.fixture
async def relay(sim, tmp_path):
    """A relay that lets users without an address in, and whatever is deleted through."""
    sections = {"target": {"rate": 100}, "users": {"missing_address": MADE_UP}, "guard": UNGUARDED}
    async with relay_for(sim, tmp_path, **sections) as relay:
        yield relay


@pytest.fixture
def theirs(tmp_path_factory):
    """A folder for programs of others, which write down the token they were given.

    The relay's own folder, `tmp_path`, is searched for tokens when a test ends (S1).
    """
    return tmp_path_factory.mktemp("theirs")


@pytest.fixture
def base(relay):
    return f"http://127.0.0.1:{relay.parts.port}/scim/v2"


@pytest.fixture(scope="session")
def scim2_cli():
    return python_programs("scim2") / "scim2"


@pytest.fixture(scope="session")
def scim_sanity():
    return python_programs("sanity") / "scim-sanity"


@pytest.fixture(scope="session")
def canaille_python():
    return python_programs("canaille") / "python"


@pytest.fixture(scope="session")
def scim_sim():
    return python_programs("scim-sim") / "scim-sim"


@pytest.fixture(scope="session")
def scim2_server():
    return python_programs("target") / "scim2-server"


@pytest.fixture(scope="session")
def newman():
    return node_programs("newman") / "newman"


@pytest.fixture(scope="session")
def pytfe_python():
    return python_programs("pytfe") / "python"


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """What the image's first stage makes, by its own lines, in a prefix of this machine."""
    return replayed(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="session")
def tools():
    return python_programs("deploy")


@pytest.fixture(scope="session")
def documents(tools):
    """Reads a YAML file below config/, as a list of its documents."""
    return lambda name: documents_in(tools, ROOT / "config" / name)


@pytest.fixture(scope="session")
def programs():
    """The folder of `prometheus` and `promtool`, out of Debian's package."""
    return debian_programs("prometheus")
