"""Who may call, and what the admin API says about users."""

from __future__ import annotations

import pytest

from relay.rules.contract import HCP
from relay.simulator.admin.surface import AdminSurface
from relay.simulator.behaviour import SimulatorSettings
from relay.simulator.log import Arrival
from relay.simulator.service import Service

SITE_ADMIN_ONLY = [
    ("GET", "admin/scim-settings"),
    ("PATCH", "admin/scim-settings"),
    ("DELETE", "admin/scim-settings"),
    ("GET", "admin/scim-tokens"),
    ("DELETE", "authentication-tokens/at-1"),
    ("GET", "admin/scim-groups"),
    ("POST", "admin/teams/team-1/scim-group-mapping"),
    ("GET", "admin/users"),
    ("GET", "admin/saml-settings"),
]


@pytest.mark.parametrize(("method", "path"), SITE_ADMIN_ONLY)
async def test_what_a_caller_may_not_is_a_404_that_tells_nothing(admin, tfe, method, path):
    token = tfe.site.people.issue("visitor", site_admin=False)
    answer = await admin(method, path, token=token)
    nowhere = await admin(method, "admin/no-such-thing", token=token)

    assert answer.refused == nowhere.refused
    assert answer.status == 404
    assert tfe.access.enabled


@pytest.mark.parametrize("path", ["admin/scim-settings", "account/details", "organizations"])
async def test_a_scim_token_or_none_at_all_is_a_401(admin, tfe, path):
    answers = [await admin("GET", path, token=token) for token in (tfe.token, "", "wrong")]

    assert [answer.status for answer in answers] == [401] * 3


async def test_an_admin_token_is_no_scim_token(admin, call):
    assert (await call("GET", "/Users", token=admin.token)).status == 401


async def test_a_token_of_the_admin_api_ends_or_is_revoked(admin, tfe, clock):
    short = tfe.site.people.issue(lifetime_s=60)
    before = (await admin("GET", "account/details", token=short)).status
    clock.turn(60)
    after = (await admin("GET", "account/details", token=short)).status
    tfe.site.people.revoke(admin.token)

    assert (before, after) == (200, 401)
    assert (await admin("GET", "account/details")).status == 401


async def test_ping_asks_for_no_token_and_names_the_version(tfe):
    tfe.site.version = "2.1.0"
    service = Service(tfe, AdminSurface(tfe))
    reply = await service.exchange(Arrival("GET", "/api/v2/ping", {}))

    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["X-TFE-Version"] == "2.1.0"
    assert reply.headers["TFP-AppName"] == "Terraform Enterprise"


async def test_the_version_is_on_refusals_too(admin):
    assert (await admin("GET", "teams/none")).headers["X-TFE-Version"] == "2.0.1"


@pytest.mark.parametrize("version", ["1.2.0", "v202507-1"])
async def test_below_2_0_the_admin_api_knows_no_scim(admin, tfe, version):
    tfe.site.version = version

    assert (await admin("GET", "admin/scim-settings")).status == 404
    assert (await admin("GET", "admin/users")).status == 200


async def test_hcp_terraform_has_organisations_and_no_admin_api(admin, tfe):
    tfe.site.version = SimulatorSettings().for_profile(HCP).version
    details = await admin("GET", "account/details")
    paths = ["admin/users", "admin/saml-settings", "admin/scim-settings"]

    assert [(await admin("GET", path)).status for path in paths] == [404] * 3
    assert (details.status, details.headers["TFP-AppName"]) == (200, "HCP Terraform")
    assert "X-TFE-Version" not in details.headers


async def test_account_details_show_whose_token_it_is(admin):
    answer = await admin("GET", "account/details")

    assert answer.json["data"]["type"] == "users"
    assert answer.attributes["username"] == "site-admin"
    assert (answer.attributes["is-admin"], answer.attributes["is-scim-managed"]) == (True, False)
    assert answer.attributes["scim-username"] is None


async def test_users_show_scim_s_name_and_time_only_while_scim_is_enabled(admin, call, clock):
    await call.user("ada")
    clock.turn(5)
    enabled = (await admin("GET", "admin/users", q="ada")).json["data"][0]["attributes"]
    await admin("DELETE", "admin/scim-settings")
    disabled = (await admin("GET", "admin/users", q="ada")).json["data"][0]["attributes"]

    assert (enabled["is-scim-managed"], enabled["scim-username"]) == (True, "ada")
    assert enabled["scim-updated-at"].endswith("Z")
    added = {"is-scim-managed", "scim-username", "scim-updated-at"}
    assert enabled.keys() - disabled.keys() == added


async def test_users_are_found_by_name_address_rights_and_suspension(admin, call):
    await call.user("ada")
    await call.user("bob", active=False)
    everyone = await admin("GET", "admin/users")
    queries = [
        {"q": "bob@EXAMPLE"},
        {"filter[suspended]": "true"},
        {"filter[suspended]": "false"},
        {"filter[admin]": "true"},
    ]
    found = [(await admin("GET", "admin/users", **query)).names for query in queries]

    assert found == [["bob"], ["bob"], ["site-admin", "ada"], ["site-admin"]]
    assert everyone.json["meta"]["status-counts"] == {"total": 3, "suspended": 1, "admin": 1}


async def user_named(admin, name):
    listed = (await admin("GET", "admin/users", q=name)).json["data"]
    return next(one for one in listed if one["attributes"]["username"] == name)


async def act(admin, name, action):
    ident = (await user_named(admin, name))["id"]
    return await admin("POST", f"admin/users/{ident}/actions/{action}")


async def is_admin(admin, name):
    return (await user_named(admin, name))["attributes"]["is-admin"]


async def test_unsuspending_somebody_by_hand_shows_in_scim(admin, call):
    ident = await call.user("ada", active=False)
    answer = await act(admin, "ada", "unsuspend")
    again = await act(admin, "ada", "unsuspend")

    assert answer.attributes["is-suspended"] is False
    assert again.status == 400
    assert (await call("GET", f"/Users/{ident}")).json["active"] is True


async def test_a_suspended_user_s_token_is_refused(admin, tfe):
    token = tfe.site.people.issue("visitor", site_admin=False)
    await act(admin, "visitor", "suspend")
    refused = (await admin("GET", "account/details", token=token)).status
    await act(admin, "visitor", "unsuspend")

    assert (refused, (await admin("GET", "account/details", token=token)).status) == (401, 200)


async def test_members_of_the_site_admin_group_are_administrators_while_they_are(admin, call):
    ada, bob = await call.user("ada"), await call.user("bob")
    group = await call.group("admins", [ada])
    before = await is_admin(admin, "ada")
    await admin("PATCH", "admin/scim-settings", {"site-admin-group-scim-id": group})
    inside = await is_admin(admin, "ada")
    await call(
        "PATCH", f"/Users/{ada}", {"Operations": [{"op": "Replace", "value": {"active": False}}]}
    )
    suspended = await is_admin(admin, "ada")
    await call("PUT", f"/Groups/{group}", {"members": [{"value": bob}]})
    swapped = [await is_admin(admin, name) for name in ("ada", "bob")]
    await admin("PATCH", "admin/scim-settings", {"site-admin-group-scim-id": None})

    assert (before, inside, suspended, swapped) == (False, True, False, [False, True])
    assert await is_admin(admin, "bob") is False


async def test_a_right_given_by_hand_survives_the_group_and_can_be_taken_away(admin, call):
    ada = await call.user("ada")
    group = await call.group("admins", [ada])
    granted = await act(admin, "ada", "grant_admin")
    twice = await act(admin, "ada", "grant_admin")
    await admin("PATCH", "admin/scim-settings", {"site-admin-group-scim-id": group})
    await call("DELETE", f"/Groups/{group}")
    kept = await is_admin(admin, "ada")
    revoked = await act(admin, "ada", "revoke_admin")

    assert (granted.status, twice.status, kept) == (200, 400, True)
    assert revoked.attributes["is-admin"] is False
    assert (await act(admin, "ada", "revoke_admin")).status == 400


async def test_disabling_scim_revokes_no_administrator(admin, call):
    ada = await call.user("ada")
    group = await call.group("admins", [ada])
    await admin("PATCH", "admin/scim-settings", {"site-admin-group-scim-id": group})
    await admin("DELETE", "admin/scim-settings")

    assert await is_admin(admin, "ada") is True


async def test_unknown_users_and_actions_are_404(admin):
    ident = (await user_named(admin, "site-admin"))["id"]
    paths = ["admin/users/user-none", f"admin/users/{ident}/actions/promote"]

    assert [(await admin("POST", path)).status for path in paths] == [404, 404]
    assert (await admin("GET", f"admin/users/{ident}")).status == 200
    assert (await admin("DELETE", f"admin/users/{ident}")).status == 404
