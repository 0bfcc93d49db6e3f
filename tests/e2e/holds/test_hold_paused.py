"""Hold `paused` over sockets: TFE answers 403, and never backfills what it was sent meanwhile."""

import aiohttp
import pytest
from support.idp import add, deactivate
from support.relays import relay_for, until
from support.targets import is_probe

FAST = {"rate": 100}


@pytest.fixture
async def relay(tfe, tmp_path):
    async with relay_for(tfe, tmp_path, target=FAST, answer={"wait": "0s"}) as relay:
        yield relay


async def people(relay, count):
    return [await relay.idp.create_user(f"user{number}@example.com") for number in range(count)]


async def paused(tfe, relay):
    """Pause TFE and let the relay find out; how many requests had arrived when it knew."""
    tfe.pause()
    await relay.idp.create_user("first@example.com")
    await relay.held("paused")
    return len(tfe.log)


async def test_what_was_accepted_during_a_pause_is_replayed_in_the_order_of_acceptance(tfe, relay):
    since = await paused(tfe, relay)
    await people(relay, 8)
    assert tfe.names() == []

    tfe.resume()
    await relay.settled()

    expected = ["first@example.com", *(f"user{number}@example.com" for number in range(8))]
    assert tfe.landed(since) == expected


async def test_a_revocation_accepted_during_a_pause_is_the_first_to_leave_after_it(tfe, relay):
    ada = await relay.idp.create_user("ada@example.com")
    await relay.settled()
    since = await paused(tfe, relay)
    await people(relay, 5)
    await relay.idp.patch(f"/Users/{ada}", deactivate())

    tfe.resume()
    await relay.settled()

    landed = tfe.landed(since)
    assert landed[0].startswith("PATCH /Users/")
    assert landed[1] == "first@example.com"
    assert len(landed) == 7


async def test_a_group_filled_during_a_pause_follows_its_members_in_one_request(tfe, relay):
    since = await paused(tfe, relay)
    users = await people(relay, 4)
    crew = await relay.idp.create_group("Crew")
    for user in users:
        await relay.idp.patch(f"/Groups/{crew}", add(user))

    tfe.resume()
    await relay.settled()

    assert tfe.landed(since)[-1] == "Crew"
    assert len(tfe.writes(since)) == 6
    assert tfe.roster("Crew") == {f"user{number}@example.com" for number in range(4)}


async def test_a_pause_is_probed_one_gentle_request_at_a_time_and_nothing_else_is_sent(tfe, relay):
    since = await paused(tfe, relay)
    await people(relay, 5)
    await until(lambda: len(tfe.arrived(since)) >= 2)

    sent = tfe.arrived(since)
    assert all(is_probe(entry) for entry in sent)
    assert {entry.status for entry in sent} == {403}
    first, second = sent[:2]
    assert second.monotonic_s - first.monotonic_s >= 0.5


async def test_green_discovery_proves_nothing_while_tfe_is_paused(tfe, relay):
    since = await paused(tfe, relay)
    headers = {"Authorization": f"Bearer {tfe.token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{tfe.url}/ServiceProviderConfig") as answer,
    ):
        assert answer.status == 200
    await until(lambda: any(is_probe(entry) for entry in tfe.arrived(since)))

    assert [hold["hold"] for hold in (await relay.status())["holds"]] == ["paused"]
    assert tfe.names() == []
