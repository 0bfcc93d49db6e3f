"""The states an operator can put TFE in, and the switches that break the contract on purpose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from relay.simulator.behaviour import SimulatorSettings
from relay.simulator.tfe import Tfe


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/Users"), ("POST", "/Users"), ("PATCH", "/Groups/x"), ("DELETE", "/Groups/x")],
)
async def test_a_pause_refuses_every_provisioning_call_with_403_until_resumed(
    call, tfe, method, path
):
    tfe.pause()
    paused = await call(method, path, {})
    tfe.resume()
    resumed = await call(method, path, {})

    assert paused.error == (403, None)
    assert resumed.status in {200, 204, 400, 404}


async def test_a_pause_and_a_disabled_scim_say_the_same_words(call, tfe):
    tfe.pause()
    paused = await call("GET", "/Users")
    tfe.disable()
    tfe.access.issue("early")
    disabled = await call("GET", "/Users")

    assert paused.json == disabled.json


async def test_a_pause_answers_401_only_if_told_so(call, tfe):
    tfe.behave(replace(tfe.behaviour, pause_status=401))
    before = await call("GET", "/Users")
    tfe.pause()
    paused = await call("GET", "/Users")
    discovery = await call("GET", "/Schemas")

    assert (before.status, paused.status, discovery.status) == (200, 401, 200)


async def test_nothing_sent_during_a_pause_is_ever_done(call, tfe):
    ident = await call.user()
    tfe.pause()
    await call("DELETE", f"/Users/{ident}")
    tfe.resume()

    assert (await call("GET", f"/Users/{ident}")).status == 200


def test_it_can_start_paused():
    assert Tfe(SimulatorSettings(paused=True)).access.paused


async def test_disabling_deletes_everything_and_enabling_starts_empty_with_a_new_token(call, tfe):
    ident = await call.user("ada")
    await call.group("crew", [ident])
    old = tfe.token

    tfe.disable()
    while_disabled = [(await call("GET", path)).status for path in ("/Users", "/Schemas")]
    new = tfe.enable()
    stale = await call("GET", "/Users", token=old)
    listed = await call("GET", "/Users")
    again = await call.user("ada")

    assert while_disabled == [401, 401]
    assert stale.status == 401
    assert old != new == tfe.token
    assert listed.json["totalResults"] == 0
    assert again != ident
    assert (await call("GET", "/Groups")).json["totalResults"] == 0


async def test_a_token_introduced_while_scim_is_disabled_is_a_403(call, tfe):
    tfe.disable()
    tfe.access.issue("early")

    assert (await call("GET", "/Users")).status == 403


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", "Basic {token}", "{token}", "Bearer {token}x"]
)
async def test_anything_but_a_live_scim_token_is_a_401(tfe, header):
    from relay.simulator.log import Arrival
    from relay.simulator.service import Service

    given = header and header.format(token=tfe.token)
    reply = await Service(tfe).exchange(Arrival("GET", "/Users", {}, authorization=given))

    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"] == "Bearer"


async def test_several_tokens_may_live_at_once_until_each_is_revoked(call, tfe):
    first, second = tfe.token, tfe.access.issue()
    both = [(await call("GET", "/Users", token=token)).status for token in (first, second)]
    tfe.access.revoke(first)
    one = [(await call("GET", "/Users", token=token)).status for token in (first, second)]
    third = tfe.rotate_token()
    rest = [(await call("GET", "/Users", token=token)).status for token in (second, third)]

    assert [both, one, rest] == [[200, 200], [401, 200], [401, 200]]


async def test_a_token_ends_when_its_lifetime_does(call, tfe, clock):
    tfe.access.issue("short", lifetime_s=60)
    clock.turn(59)
    before = (await call("GET", "/Users", token="short")).status
    clock.turn(1)
    after = (await call("GET", "/Users", token="short")).status

    assert (before, after) == (200, 401)


async def test_a_wipe_takes_the_resources_and_leaves_the_token(call, tfe):
    ident = await call.user()
    tfe.wipe()

    assert (await call("GET", f"/Users/{ident}")).status == 404
    assert (await call("GET", "/Users", count=0)).json["totalResults"] == 0


async def test_without_uniqueness_duplicates_are_let_in(call, tfe):
    tfe.behave(replace(tfe.behaviour, unique=False))
    await call.user("ada")
    await call.user("ada")

    answer = await call("GET", "/Users", filter='userName eq "ada"')

    assert answer.json["totalResults"] == 2


async def test_an_address_is_unique_only_if_told_so(call, tfe):
    emails = [{"value": "shared@x"}]
    await call("POST", "/Users", {"userName": "a", "emails": emails})
    allowed = await call("POST", "/Users", {"userName": "b", "emails": emails})
    tfe.behave(replace(tfe.behaviour, unique_email=True))
    refused = await call("POST", "/Users", {"userName": "c", "emails": emails})

    assert allowed.status == 201
    assert refused.error == (409, "uniqueness")


async def test_filters_are_ignored_only_if_told_so(call, tfe):
    await call.user("ada")
    await call.user("bob")
    tfe.behave(replace(tfe.behaviour, ignore_filters=True))

    answer = await call("GET", "/Users", filter='userName eq "ada"')

    assert answer.json["totalResults"] == 2


async def test_a_patch_answers_without_a_body_only_if_told_so(call, tfe):
    ident = await call.user()
    tfe.behave(replace(tfe.behaviour, patch_answers_body=False))

    answer = await call.patch(f"/Users/{ident}", {"op": "Replace", "value": {"active": False}})

    assert (answer.status, answer.reply.body) == (204, b"")
    assert (await call("GET", f"/Users/{ident}")).json["active"] is False
