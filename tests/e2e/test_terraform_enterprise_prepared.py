"""The page on preparing Terraform Enterprise, typed into one shell against the stand-in."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from support.relays import relay_for

from relay.simulator.admin import orders
from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.server import simulator

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "terraform-enterprise.md"
DAY_S = 86_400


@pytest.fixture
async def tfe(tmp_path):
    """A stand-in that never had SCIM, and its site administrator's token in a file."""
    async with simulator(SimulatorSettings(limit=RateLimit(rate=0))) as sim:
        sim.disable()
        (tmp_path / "admin-token").write_text(sim.site.people.issue())
        yield sim


async def type_page(tfe, folder):
    """Type every block of the page; the exit code and what was printed."""
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE))
    script = script.replace("https://tfe.example.com", tfe.admin_url)
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", f"set -eu -o pipefail\n{script}"),
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, output.decode()


async def test_scim_is_enabled_and_a_token_is_made_that_the_relay_can_use(tfe, tmp_path):
    code, shown = await type_page(tfe, tmp_path)
    path = tmp_path / "tfe-scim-token"
    secret = path.read_text().strip()
    [token] = tfe.access.tokens()

    assert code == 0, shown
    assert (token.secret, secret in shown) == (secret, False)
    assert path.stat().st_mode & 0o777 == 0o600
    assert 299 * DAY_S < token.expires - tfe.clock.wall() < 301 * DAY_S
    target = {"token_file": str(path), "rate": 100}
    async with relay_for(tfe, tmp_path, target=target) as relay:
        await relay.idp.create_user("ada@example.com")
        await relay.settled()
    assert [one.fields.user_name for one in tfe.directory.users] == ["ada@example.com"]


async def test_without_saml_the_first_step_says_so(tfe, tmp_path):
    orders.saml(tfe, {"enabled": False})
    code, shown = await type_page(tfe, tmp_path)

    assert (code, "422" in shown) == (22, True)
