"""The SCIM test suites of others, by their own commands: scim2-cli and scim-sanity."""

import json
import re

import pytest
from programs import run
from support.idp import TOKEN

from relay.simulator.seed import sow

pytestmark = [pytest.mark.compliance, pytest.mark.timeout(600)]
LINE = re.compile(r"^([A-Z]+) (\w+)$", re.MULTILINE)


@pytest.mark.parametrize("paused", [False, True], ids=["answering", "paused"])
async def test_scim2_cli_finds_every_declared_attribute_writable_and_tfe_refuses_nothing_of_it(
    scim2_cli, relay, sim, base, tmp_path, paused
):
    if paused:
        sim.pause()
    headers = f"Authorization: Bearer {TOKEN}"
    outcome = await run(
        scim2_cli, "-u", base, "test", "-v", folder=tmp_path, SCIM_CLI_HEADERS=headers
    )
    sim.resume()
    await relay.settled(60)

    found = LINE.findall(outcome.output)
    assert [one for one in found if one[0] != "SUCCESS"] == [], outcome.output
    assert len(found) >= 130
    assert outcome.code == 0, outcome.output
    assert (await relay.counters())["parked"] == 0
    refused = {entry.status for entry in sim.log.entries() if (entry.status or 0) // 100 == 4}
    assert refused <= ({403} if paused else set())
    assert (len(sim.directory.users), len(sim.directory.groups)) == (0, 0)


@pytest.mark.parametrize("profile", [["--strict"], ["--profile", "entra", "--compat"]])
async def test_scim_sanity_passes_where_the_member_it_makes_up_exists(
    scim_sanity, made_up_member, base, tmp_path, profile
):
    """It adds `fake-member-id` to a group and wants a 200; to TFE an unknown member is a 404."""
    outcome = await probe(scim_sanity, base, tmp_path, profile)

    summary = json.loads(outcome.output)["summary"]
    assert (outcome.code, summary["failed"], summary["errors"]) == (0, 0, 0), outcome.output
    assert summary["passed"] == 28


async def test_scim_sanity_finds_nothing_but_its_made_up_member_refused(
    scim_sanity, relay, base, tmp_path
):
    outcome = await probe(scim_sanity, base, tmp_path, ["--strict"])

    results = json.loads(outcome.output)["results"]
    failed = [(one["name"], one["message"]) for one in results if one["status"] == "fail"]
    assert failed == [("PATCH /Groups/{id} add member", "Expected 200, got 404")]


@pytest.fixture
def made_up_member(sim):
    """Asked for before the relay, which imports it."""
    known = {"userName": "fake", "email": "fake@example.com", "id": "fake-member-id"}
    sow(sim.directory, {"users": [known]})


async def probe(scim_sanity, base, folder, profile):
    words = ["probe", base, "--token", TOKEN, *profile, "--i-accept-side-effects", "--json-output"]
    return await run(scim_sanity, *words, folder=folder)
