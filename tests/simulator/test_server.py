"""The stand-in on a real socket: what a client of its own makes of it."""

from __future__ import annotations

import asyncio
import re

import aiohttp
import pytest

from relay.simulator import Fault, FaultKind, Match, RateLimit, SimulatorSettings, simulator

ADA = {"userName": "ada", "emails": [{"value": "a@x"}]}


@pytest.fixture
async def sim():
    async with simulator(SimulatorSettings(keep_bodies=True)) as running:
        yield running


@pytest.fixture
async def http(sim):
    headers = {"Authorization": f"Bearer {sim.token}", "X-Request-Id": "r1"}
    async with aiohttp.ClientSession(headers=headers) as session:
        yield session


async def test_it_answers_over_http_and_logs_what_arrived(sim, http):
    async with http.post(f"{sim.url}/Users?x=1", json=ADA) as answer:
        created = await answer.json(content_type="application/scim+json")

    entry = sim.log.entries()[0]
    assert created["id"] in sim.directory.users
    assert (entry.method, entry.path, entry.query) == ("POST", "/Users", {"x": "1"})
    assert (entry.status, entry.request_id, entry.counted) == (201, "r1", True)
    assert entry.body_bytes == len(entry.body)
    assert '"userName"' in entry.body
    assert entry.monotonic_s <= entry.answered_s
    assert sim.token not in repr(entry)


async def test_of_a_parameter_given_twice_the_last_counts(sim, http):
    async with http.get(f"{sim.url}/Users?count=1&count=2") as answer:
        assert answer.status == 200

    assert sim.log.entries()[0].query == {"count": "2"}


async def test_a_burst_over_sockets_is_let_in_ten_at_a_time(sim, http):
    async def status():
        async with http.get(f"{sim.url}/Users") as answer:
            return answer.status, answer.headers.get("Retry-After")

    results = await asyncio.gather(*(status() for _ in range(25)))

    assert results.count((200, None)) == 10
    assert results.count((429, "1")) == 15
    assert sim.log.max_in_window() == 25


@pytest.mark.parametrize("kind", [FaultKind.RESET_BEFORE, FaultKind.RESET_AFTER])
async def test_a_reset_is_seen_as_a_broken_connection(sim, http, kind):
    sim.faults.add(Fault(kind=kind))

    with pytest.raises(aiohttp.ClientConnectionError):
        await http.post(f"{sim.url}/Users", json=ADA)

    assert len(sim.directory.users) == (kind is FaultKind.RESET_AFTER)
    assert sim.log.entries()[0].status == 0


async def test_a_cut_answer_shows_its_status_and_never_its_end(sim, http):
    sim.faults.add(Fault(kind=FaultKind.CUT))

    async with http.post(f"{sim.url}/Users", json=ADA) as answer:
        assert answer.status == 201
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()

    assert len(sim.directory.users) == 1


async def test_a_request_whose_client_went_away_still_has_its_effect(sim, http):
    rule = sim.faults.add(Fault(kind=FaultKind.SLOW_BEFORE))
    patience = aiohttp.ClientTimeout(total=0.05)

    with pytest.raises(TimeoutError):
        await http.post(f"{sim.url}/Users", json=ADA, timeout=patience)
    before = len(sim.directory.users)
    rule.release()
    await sim.log.until(lambda log: log.entries()[0].executed)

    assert (before, len(sim.directory.users)) == (0, 1)


async def test_stopping_does_not_wait_for_a_held_request():
    async with simulator() as sim, aiohttp.ClientSession() as http:
        sim.faults.add(Fault(kind=FaultKind.SLOW_AFTER), Match(path="Schemas"))
        async with asyncio.TaskGroup() as tasks:
            held = tasks.create_task(http.get(f"{sim.url}/Schemas"))
            await sim.log.until(lambda log: log.entries(path="/Schemas") != [])
            held.cancel()

    assert held.cancelled()


async def test_latency_delays_the_answer(sim, http):
    async with http.post(f"{sim.control_url}/latency", json={"low_ms": 20}) as answer:
        assert (await answer.json())["latency_ms"] == [20, 20]
    async with http.get(f"{sim.url}/Schemas") as answer:
        assert answer.status == 200

    entry = sim.log.entries()[0]
    assert entry.answered_s - entry.monotonic_s >= 0.02


async def control(http, sim, method, order, body=None, /, **query):
    url = f"{sim.control_url}/{order}"
    async with http.request(method, url, json=body, params=query) as answer:
        return answer.status, await answer.json()


async def test_pause_resume_disable_enable_and_wipe_work_over_the_control_api(sim, http):
    assert (await control(http, sim, "POST", "pause"))[1]["paused"] is True
    assert (await control(http, sim, "GET", "state"))[1]["paused"] is True
    assert (await control(http, sim, "POST", "resume"))[1]["paused"] is False
    assert (await control(http, sim, "POST", "seed", {"users": 3}))[0] == 200
    assert (await control(http, sim, "POST", "wipe"))[1]["users"] == 0
    disabled = (await control(http, sim, "POST", "disable"))[1]
    enabled = (await control(http, sim, "POST", "enable", {"token": "fresh"}))[1]

    assert (disabled["enabled"], disabled["live_tokens"]) == (False, 0)
    assert enabled == {"token": "fresh"}
    assert sim.access.live_tokens() == ["fresh"]


async def test_tokens_are_rotated_added_and_revoked_over_the_control_api(sim, http):
    rotated = (await control(http, sim, "POST", "token"))[1]["token"]
    added = (await control(http, sim, "POST", "token", {"action": "add", "lifetime_s": 60}))[1]
    assert sim.access.live_tokens() == [rotated, added["token"]]

    await control(http, sim, "POST", "token", {"action": "revoke", "token": rotated})
    assert sim.access.live_tokens() == [added["token"]]
    await control(http, sim, "POST", "token", {"action": "revoke"})
    assert sim.access.live_tokens() == []


async def test_limit_and_flags_change_only_what_is_named(sim, http):
    await control(http, sim, "POST", "limit", {"rate": 30, "window": "fixed"})
    _, state = await control(
        http, sim, "POST", "flags", {"unique": False, "reserved_group_names": ["owners"]}
    )

    assert sim.limiter.limit == RateLimit(rate=30, window="fixed")
    assert (state["rate"], state["window"], state["retry_after"]) == (30, "fixed", "seconds")
    assert (state["flags"]["unique"], state["flags"]["member_limit"]) == (False, 1000)
    assert sim.behaviour.reserved_group_names == {"owners"}


async def test_faults_are_added_listed_released_and_removed_over_the_control_api(sim, http):
    rules = [
        {"match": {"method": "POST", "path": "^/Users$"}, "action": {"kind": "slow-after"}},
        {"action": {"kind": "status", "status": 429, "retry_after": "5", "detail": "slow down"}},
    ]
    _, listed = await control(http, sim, "POST", "faults", {"rules": rules})
    async with http.get(f"{sim.url}/Users") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "5")
    _, progressed = await control(http, sim, "GET", "faults")
    released = await control(http, sim, "POST", "faults/1/release")
    async with http.post(f"{sim.url}/Users", json=ADA) as answer:
        assert answer.status == 201
    _, one = await control(http, sim, "DELETE", "faults/1")
    _, none = await control(http, sim, "DELETE", "faults")

    assert [rule["id"] for rule in listed["rules"]] == [1, 2]
    assert [rule["met"] for rule in progressed["rules"]] == [0, 1]
    assert released[0] == 200
    assert [rule["id"] for rule in one["rules"]] == [2]
    assert none["faults"] == 0


async def test_seed_fills_at_once_and_dump_shows_everything(sim, http):
    body = {
        "accounts": [{"email": "ada@x", "username": "countess"}],
        "users": [
            {"userName": "ada", "email": "ada@x", "id": "u-1"},
            {"userName": "bob", "emails": [{"value": "bob@x"}], "active": False},
        ],
        "groups": [{"displayName": "crew", "members": ["u-1", "BOB"], "externalId": "g"}],
    }
    status, ids = await control(http, sim, "POST", "seed", body)
    _, dumped = await control(http, sim, "GET", "dump")

    assert (status, ids["users"][0]) == (200, "u-1")
    assert dumped["users"][0]["name"] == {"formatted": "countess"}
    assert ids["users"] == [member["value"] for member in dumped["groups"][0]["members"]]
    assert dumped["accounts"][1] == {
        "username": "bob",
        "email": "bob@x",
        "suspended": True,
        "scim_id": ids["users"][1],
    }


async def test_the_log_is_read_with_filters_and_cleared(sim, http):
    for path in ("/Users", "/Users", "/Groups", "/Schemas"):
        async with http.get(sim.url + path):
            pass
    _, users = await control(http, sim, "GET", "log", path="/Users", method="GET", status=200)
    _, later = await control(http, sim, "GET", "log", after=2, seconds=60)
    await control(http, sim, "DELETE", "log")
    _, cleared = await control(http, sim, "GET", "log")

    assert [entry["serial"] for entry in users["entries"]] == [1, 2]
    assert [entry["serial"] for entry in later["entries"]] == [3, 4]
    assert later["max_in_window"] == 3
    assert cleared == {"max_in_window": 0, "entries": []}


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("pause", {"for": 5}, "for"),
        ("enable", {"token": 5}, "token"),
        ("token", {"action": "steal"}, "action"),
        ("latency", {"low_ms": 5, "high_ms": 1}, "low_ms"),
        ("latency", {"ms": 5}, "ms"),
        ("limit", {"rate": -1}, "rate"),
        ("limit", {"rate": "10"}, "rate"),
        ("limit", {"window": "rolling"}, "window"),
        ("flags", {"uniqe": False}, "uniqe"),
        ("flags", {"unique": "no"}, "unique"),
        ("faults", {"action": {"kind": "flood"}}, "kind"),
        ("faults", {"action": {}}, "kind"),
        ("faults", {"action": {"kind": "cut"}, "when": 1}, "match and action"),
        ("faults", {"match": {"path": "("}, "action": {"kind": "cut"}}, "pattern"),
        ("faults", {"rules": {}}, "rules"),
        ("seed", {"teams": []}, "teams"),
        ("seed", {"users": "x"}, "users"),
        ("seed", {"users": [5]}, "users"),
        ("seed", {"users": [{"userName": "a"}]}, "email"),
        ("seed", {"groups": [{"displayName": "g", "members": "x"}]}, "members"),
    ],
)
async def test_an_order_that_cannot_be_understood_is_a_400_that_names_the_key(
    sim, http, path, body, named
):
    status, answer = await control(http, sim, "POST", path, body)

    assert status == 400
    assert re.search(re.escape(named), answer["error"])


async def test_what_does_not_exist_cannot_be_released_and_the_log_wants_numbers(sim, http):
    assert (await control(http, sim, "POST", "faults/9/release"))[0] == 404
    assert (await control(http, sim, "DELETE", "faults/x"))[0] == 404
    assert (await control(http, sim, "GET", "log", after="x"))[0] == 400
    assert (await control(http, sim, "POST", "seed", {"groups": [{"members": ["no"]}]}))[0] == 404


async def test_an_id_may_be_seeded_once(sim, http):
    user = {"userName": "a", "email": "a@x", "id": "u"}
    await control(http, sim, "POST", "seed", {"users": [user]})

    status, _ = await control(http, sim, "POST", "seed", {"users": [{**user, "userName": "b"}]})

    assert status == 400


async def test_base_path_port_and_token_are_as_asked_for():
    settings = SimulatorSettings(base_path="/scim/v2/config-1", token="given")
    async with simulator(settings) as sim, aiohttp.ClientSession() as http:
        headers = {"Authorization": "Bearer given"}
        async with http.get(f"{sim.url}/Users", headers=headers) as answer:
            assert answer.status == 200
        async with http.get(f"{sim.origin}/scim/v2/Users", headers=headers) as answer:
            assert answer.status == 404

        with pytest.raises(OSError, match="in use"):
            async with simulator(SimulatorSettings(port=sim.port)):
                pass
