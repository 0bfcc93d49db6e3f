"""What an operator and an identity provider are told while a hold stands, and by which names."""

import pytest
from support.idp import user
from support.relays import relay_for, typed

from relay import __version__
from relay.simulator.faults import Fault, FaultKind, Match

FAST = {"rate": 100}


def throttle(tfe):
    fault = Fault(kind=FaultKind.STATUS, status=429, retry_after="40", detail="slow down")
    tfe.faults.add(fault, Match(method="POST"))


def break_it(tfe):
    tfe.faults.add(
        Fault(kind=FaultKind.STATUS, status=502, detail="bad gateway"), Match(count=None)
    )


TROUBLE = {
    "throttled": (throttle, "429: slow down"),
    "paused": (lambda tfe: tfe.pause(), "403: SCIM is not enabled"),
    "token": (lambda tfe: tfe.rotate_token(), "401: invalid token"),
    "down": (break_it, "502: bad gateway"),
}


@pytest.mark.parametrize("name", TROUBLE)
async def test_status_shows_a_holds_name_age_reason_and_next_probe(name, tfe, tmp_path):
    begin, reason = TROUBLE[name]
    async with relay_for(tfe, tmp_path, target=FAST, answer={"wait": "0s"}) as relay:
        begin(tfe)
        await relay.idp.create_user("ada@example.com")
        await relay.held(name)
        [hold] = (await relay.status())["holds"]

        assert (hold["hold"], hold["reason"]) == (name, reason)
        assert hold["since"].endswith("Z")
        assert 0 <= hold["since_s"] < 30
        assert 0 <= hold["next_look_s"] <= 40
        if name == "throttled":
            assert 30 < hold["until_s"] <= 40
        else:
            assert hold["until_s"] is None
        code, shown = await typed(tmp_path, "status")
        assert (code, f"hold={name}" in shown, reason in shown) == (0, True, True)


async def test_an_operators_hold_is_never_looked_at_again_by_itself(tfe, tmp_path):
    async with relay_for(tfe, tmp_path, target=FAST) as relay:
        await typed(tmp_path, "pause", "--reason", "mine")
        [hold] = (await relay.status())["holds"]

        assert (hold["hold"], hold["next_look_s"], hold["until_s"]) == ("operator", None, None)


STRICT = {"answer": "strict"}


@pytest.mark.parametrize("name", ["throttled", "paused"])
async def test_a_strict_connection_is_told_when_to_come_back(name, tfe, tmp_path):
    async with relay_for(tfe, tmp_path, target=FAST, connection=STRICT) as relay:
        TROUBLE[name][0](tfe)
        reply = await relay.idp.post("/Users", user("ada@example.com"))
        assert reply.status == 503
        again = await relay.idp.post("/Users", user("ada@example.com"))

        assert (again.status, again.body["status"]) == (503, "503")
        assert again.headers["X-Change-Id"] == reply.headers["X-Change-Id"]
        wait_s = int(again.headers["Retry-After"])
        assert (30 < wait_s <= 41) if name == "throttled" else (1 <= wait_s <= 30)


async def test_a_connection_of_the_usual_kind_is_answered_while_a_hold_stands(tfe, tmp_path):
    async with relay_for(tfe, tmp_path, target=FAST) as relay:
        tfe.pause()
        await relay.idp.create_user("first@example.com")
        await relay.held("paused")
        reply = await relay.idp.post("/Users", user("ada@example.com"))

        assert reply.status == 201
        assert "Retry-After" not in reply.headers
        assert int(reply.headers["X-Change-Id"]) > 0


async def test_before_tfe_ever_accepted_the_token_provisioning_is_503_with_the_reason(
    tfe, tmp_path
):
    (tmp_path / "tfe-token").write_text("scim-nobody-knows-this")
    tfe.access.paused = True  # so that the import is not waited for
    async with relay_for(tfe, tmp_path, target=FAST) as relay:
        await relay.held("token")
        reply = await relay.idp.get("/Users?count=0")

    assert reply.status == 503
    assert "token: 401" in reply.body["detail"]
    assert int(reply.headers["Retry-After"]) >= 1


async def test_each_request_to_tfe_carries_its_attempts_id_and_who_sends_it(tfe, tmp_path):
    async with relay_for(tfe, tmp_path, target=FAST, answer={"wait": "0s"}) as relay:
        reply = await relay.idp.post("/Users", user("ada@example.com"))
        await relay.settled()
        change = await relay.store.change(int(reply.headers["X-Change-Id"]))

    [write] = tfe.writes()
    [attempt] = change["attempts"]
    assert write.request_id == str(attempt["id"])
    assert {entry.user_agent for entry in tfe.arrived()} == {f"tfe-scim-relay/{__version__}"}
    assert all(entry.request_id for entry in tfe.arrived())


async def test_every_answer_to_a_write_names_its_change(tfe, tmp_path):
    async with relay_for(tfe, tmp_path, target=FAST) as relay:
        made = await relay.idp.post("/Users", user("ada@example.com"))
        path = f"/Users/{made.body['id']}"
        replies = [
            made,
            await relay.idp.put(path, user("ada@example.com", externalId="a")),
            await relay.idp.patch(path, {"op": "replace", "value": {"active": False}}),
            await relay.idp.delete(path),
        ]

    numbers = [int(reply.headers["X-Change-Id"]) for reply in replies]
    assert numbers == sorted(set(numbers))
