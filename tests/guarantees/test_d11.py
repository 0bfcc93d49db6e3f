"""D11: a 401 pauses the target and parks nothing; a new token resumes without a restart."""

import pytest
from support.relays import relay_for, until
from support.targets import is_probe

FAST = {"rate": 100}


@pytest.fixture
async def relay(tfe, tmp_path):
    async with relay_for(tfe, tmp_path, target=FAST, answer={"wait": "0s"}) as relay:
        yield relay


async def revoked(tfe, relay):
    """End the relay's token and let it find out; the new token, and what had arrived."""
    token = tfe.rotate_token()
    await relay.idp.create_user("ada@example.com")
    await relay.held("token")
    return token, len(tfe.log)


def replace(folder, token):
    """Replace the token's file as an operator does: a new file, moved over the old one."""
    fresh = folder / "tfe-token.new"
    fresh.write_text(token)
    fresh.replace(folder / "tfe-token")


async def test_a_new_token_in_the_file_resumes_delivery_without_a_restart(tfe, relay, tmp_path):
    token, since = await revoked(tfe, relay)
    await relay.idp.create_user("bob@example.com")
    counters = await relay.counters()
    assert (counters["pending"], counters["parked"]) == (2, 0)

    replace(tmp_path, token)
    await relay.settled()

    assert tfe.landed(since) == ["ada@example.com", "bob@example.com"]


async def test_while_the_token_is_refused_only_probes_are_sent_and_the_identity_provider_is_served(
    tfe, relay
):
    _, since = await revoked(tfe, relay)
    identifier = await relay.idp.create_user("bob@example.com")
    await until(lambda: len(tfe.arrived(since)) >= 1)

    assert all(is_probe(entry) for entry in tfe.arrived(since))
    assert (await relay.idp.get(f"/Users/{identifier}")).body["userName"] == "bob@example.com"
    assert [hold["hold"] for hold in (await relay.status())["holds"]] == ["token"]


async def test_a_wrong_token_in_the_file_changes_nothing(tfe, relay, tmp_path):
    token, _ = await revoked(tfe, relay)
    replace(tmp_path, "scim-nobody-knows-this")
    since = len(tfe.log)
    await until(lambda: any(entry.status == 401 for entry in tfe.arrived(since)))
    assert tfe.names() == []

    replace(tmp_path, token)
    await relay.settled()

    assert tfe.names() == ["ada@example.com"]
