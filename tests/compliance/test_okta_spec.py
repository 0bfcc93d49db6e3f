"""Okta's own SPEC test, whole: what Okta asks of a server before it provisions to it."""

import json
from pathlib import Path

import aiohttp
import pytest
from runscope import Verdict, run
from support.idp import TOKEN, user
from support.relays import relay_for

from relay.simulator import simulator

SPEC = Path(__file__).parents[1] / "fixtures" / "okta-spec" / "Okta-SCIM-20-SPEC-Test.json"


def steps():
    return json.loads(SPEC.read_text())["steps"]


async def specification(relay):
    """Every assertion of Okta's test against this relay, whose directory has a user already."""
    named = {"givenName": "Ada", "familyName": "Lovelace"}
    await relay.idp.create_user("ada@example.com", name=named)
    variables = {
        "SCIMBaseURL": f"http://127.0.0.1:{relay.parts.port}/scim/v2",
        "auth": f"Bearer {TOKEN}",
        "InvalidUserEmail": "nobody@example.com",
        "UserIdThatDoesNotExist": "00000000-0000-4000-8000-000000000000",
        "randomUsername": "grace.hopper@example.com",
        "randomUsernameCaps": "GRACE.HOPPER@EXAMPLE.COM",
        "randomEmail": "grace@example.com",
        "randomGivenName": "Grace",
        "randomFamilyName": "Hopper",
    }
    async with aiohttp.ClientSession() as session:
        return await run(steps(), session, variables)


@pytest.mark.parametrize("paused", [False, True], ids=["answering", "paused"])
async def test_all_52_assertions_of_oktas_specification_hold_whether_or_not_tfe_is_paused(
    paused, tmp_path
):
    async with simulator() as sim, relay_for(sim, tmp_path) as relay:
        if paused:
            sim.pause()
        verdicts = await specification(relay)

    assert [verdict for verdict in verdicts if not verdict.passed] == []
    assert len(verdicts) == 52


async def test_what_oktas_test_created_is_in_tfe_afterwards(tmp_path):
    async with simulator() as sim, relay_for(sim, tmp_path) as relay:
        await specification(relay)
        await relay.settled()

        names = {row.fields.user_name for row in sim.directory.users}
        assert names == {"ada@example.com", "grace.hopper@example.com"}


async def test_the_interpreter_sees_a_server_that_answers_otherwise(tmp_path):
    """Its control: a user without a name, and a list that is not empty, are told apart."""
    get_users = steps()[:1]
    async with simulator() as sim, relay_for(sim, tmp_path) as relay:
        await relay.idp.post("/Users", user("nameless@example.com"))
        base = f"http://127.0.0.1:{relay.parts.port}/scim/v2"
        async with aiohttp.ClientSession() as session:
            known = {"SCIMBaseURL": base, "auth": f"Bearer {TOKEN}"}
            verdicts: list[Verdict] = await run(get_users, session, known)

    failed = [verdict.assertion for verdict in verdicts if not verdict.passed]
    assert failed == [
        "Resources[0].name.familyName not_empty",
        "Resources[0].name.givenName not_empty",
    ]
