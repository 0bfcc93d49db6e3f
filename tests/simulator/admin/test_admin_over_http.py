"""The admin API and its part of the control API on a real socket."""

from __future__ import annotations

import re

import aiohttp
import pytest

from relay.simulator import Fault, FaultKind, Match, simulator

JSON_API = "application/vnd.api+json"


@pytest.fixture
async def sim():
    async with simulator() as running:
        yield running


@pytest.fixture
async def http():
    async with aiohttp.ClientSession() as session:
        yield session


async def order(http, sim, name, body, status=200):
    async with http.post(f"{sim.control_url}/{name}", json=body) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


@pytest.fixture
async def ask(http, sim):
    """Calls the admin API with a token from the control API."""
    token = (await order(http, sim, "admin-token", {}))["token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": JSON_API}

    async def ask(method, path, **options):
        url = f"{sim.admin_url}/api/v2/{path}"
        async with http.request(method, url, headers=headers, **options) as answer:
            body = await answer.read()
            return answer.status, await answer.json(content_type=JSON_API) if body else None

    return ask


async def test_a_site_is_set_up_by_orders_and_read_by_the_admin_api(http, sim, ask):
    crew = {"displayName": "Crew", "id": "g-1"}
    await order(http, sim, "seed", {"users": 2, "groups": [crew]})
    await order(http, sim, "organizations", {"name": "acme", "owner": "user00001"})
    team = await order(
        http, sim, "teams", {"organization": "acme", "name": "crew", "members": ["user00002"]}
    )
    linked = await order(http, sim, "links", {"team": team["id"], "group": "crew"})
    aged = await order(
        http, sim, "links", {"team": team["id"], "stalled": True, "paused": True, "synced_s_ago": 9}
    )
    status, shown = await ask("GET", f"teams/{team['id']}")
    _, listed = await ask("GET", "organizations/acme/teams?page%5Bsize%5D=1")
    cut = await order(http, sim, "links", {"team": team["id"], "unlink": True})
    again = await order(http, sim, "links", {"team": team["id"], "group": "g-1"})

    assert (linked["link"]["group"], linked["members"]) == ("Crew", [])
    assert (aged["link"]["stalled"], aged["link"]["paused"]) == (True, True)
    assert linked["link"]["synced"] - aged["link"]["synced"] > 8
    assert (status, shown["data"]["attributes"]["scim-sync-paused"]) == (200, True)
    assert listed["meta"]["pagination"]["total-count"] == 2
    assert again["link"]["group_id"] == "g-1"
    assert (cut["link"], len(sim.log.entries(path="/api/v2/"))) == (None, 2)


async def test_rights_saml_version_and_limits_are_set_by_orders(http, sim, ask):
    await order(http, sim, "seed", {"groups": [{"displayName": "admins", "id": "g-1"}]})
    state = await order(http, sim, "site-admin-group", {"group": "ADMINS"})
    _, settings = await ask("GET", "admin/scim-settings")
    none = await order(http, sim, "site-admin-group", {})
    await order(http, sim, "saml", {"enabled": False, "provider_type": "unknown"})
    await order(http, sim, "admin-limit", {"links": 1})
    final = await order(http, sim, "version", {"version": "1.2.0"})

    assert state["site_admin_group"] == "g-1"
    assert settings["data"]["attributes"]["site-admin-group-display-name"] == "admins"
    assert none["site_admin_group"] is None
    assert (final["saml"], final["version"]) == ([False, "unknown"], "1.2.0")
    assert final["admin_limits"] == {"api": 30, "settings": 20, "links": 1}
    assert (await ask("GET", "admin/scim-settings"))[0] == 404


async def test_tokens_of_the_admin_api_are_given_and_taken_by_orders(http, sim, ask):
    given = await order(
        http, sim, "admin-token", {"token": "t", "username": "ada", "site_admin": False}
    )
    url = f"{sim.admin_url}/api/v2/account/details"
    headers = {"Authorization": "Bearer t"}
    async with http.get(url, headers=headers) as answer:
        shown = await answer.json(content_type=JSON_API)
    await order(http, sim, "admin-token", {"token": "t", "revoke": True})
    async with http.get(url, headers=headers) as answer:
        refused = answer.status

    assert (given, shown["data"]["attributes"]["username"]) == ({"token": "t"}, "ada")
    assert (shown["data"]["attributes"]["is-admin"], refused) == (False, 401)


async def test_the_end_of_a_scim_token_is_moved_by_an_order(http, sim, ask):
    await order(http, sim, "token", {"action": "expire", "lifetime_s": 864_000})
    _, soon = await ask("GET", "admin/scim-tokens")
    await order(http, sim, "token", {"action": "expire", "token": sim.token})
    _, ended = await ask("GET", "admin/scim-tokens")

    assert len(soon["data"]) == 1
    assert ended["data"] == []


@pytest.mark.parametrize(
    ("name", "body", "status", "named"),
    [
        ("admin-token", {"admin": True}, 400, "admin"),
        ("admin-token", {"revoke": True}, 400, "token"),
        ("organizations", {"name": "a b"}, 422, "Name"),
        ("organizations", {}, 400, "name"),
        ("teams", {"organization": "none", "name": "crew"}, 404, "not found"),
        ("teams", {"organization": "acme", "name": "c", "members": ["nobody"]}, 404, "nobody"),
        ("links", {"team": "none", "unlink": True}, 404, "not found"),
        ("links", {"team": "none", "group": "none"}, 404, "none"),
        ("site-admin-group", {"group": "none"}, 404, "none"),
        ("saml", {"provider_type": "myspace"}, 400, "provider_type"),
        ("version", {}, 400, "version"),
        ("admin-limit", {"links": -1}, 400, "links"),
        ("admin-limit", {"link": 1}, 400, "link"),
        ("token", {"action": "expire", "token": "none"}, 404, "none"),
    ],
)
async def test_an_order_that_cannot_be_done_names_what_is_wrong(
    http, sim, name, body, status, named
):
    answer = await order(http, sim, name, body, status)

    assert re.search(re.escape(named), answer["error"])


async def test_dump_shows_organisations_and_teams(http, sim):
    await order(http, sim, "organizations", {"name": "acme"})
    async with http.get(f"{sim.control_url}/dump") as answer:
        dumped = await answer.json()

    assert [org["name"] for org in dumped["organizations"]] == ["acme"]
    assert [(team["name"], team["link"]) for team in dumped["teams"]] == [("owners", None)]


async def test_faults_strike_the_admin_api_too(http, sim, ask):
    sim.faults.add(Fault(kind=FaultKind.STATUS, status=503), Match(path="^/api/v2/admin/users$"))
    sim.faults.add(Fault(kind=FaultKind.RESET_AFTER), Match(path="scim-settings$"))
    async with http.get(f"{sim.admin_url}/api/v2/ping") as answer:
        assert answer.status == 204
    token = sim.site.people.issue()
    async with http.get(
        f"{sim.admin_url}/api/v2/admin/users", headers={"Authorization": f"Bearer {token}"}
    ) as answer:
        assert (answer.status, answer.content_type) == (503, "text/html")
        assert answer.headers["X-TFE-Version"] == "2.0.1"

    with pytest.raises(aiohttp.ClientConnectionError):
        await ask("PATCH", "admin/scim-settings", json={"data": {"attributes": {"paused": True}}})
    assert sim.access.paused


async def test_a_body_of_another_kind_is_a_415(http, sim):
    headers = {"Authorization": f"Bearer {sim.site.people.issue()}", "Content-Type": "text/plain"}
    url = f"{sim.admin_url}/api/v2/admin/scim-settings"

    async with http.patch(url, headers=headers, data=b"{}") as answer:
        assert answer.status == 415


async def test_requests_to_the_admin_api_do_not_count_as_provisioning(sim, ask):
    await ask("GET", "admin/scim-settings")

    assert sim.log.entries()[0].path == "/api/v2/admin/scim-settings"
    assert sim.log.max_in_window() == 0
