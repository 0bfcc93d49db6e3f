"""SCIM's settings through the admin API: on, off, paused, and the site-admin group."""

from __future__ import annotations

import pytest

OFF = {
    "enabled": False,
    "paused": False,
    "site-admin-group-scim-id": None,
    "site-admin-group-display-name": None,
}


async def test_the_settings_are_one_resource_of_the_documented_type(admin):
    answer = await admin("GET", "admin/scim-settings")

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/vnd.api+json"
    assert (answer.json["data"]["id"], answer.json["data"]["type"]) == ("scim", "scim-settings")
    assert answer.attributes == {**OFF, "enabled": True}


async def test_pausing_and_resuming_reach_scim_and_leave_the_rest(admin, call, tfe):
    group = await call.group("admins")
    await admin("PATCH", "admin/scim-settings", {"site-admin-group-scim-id": group})

    paused = await admin("PATCH", "admin/scim-settings", {"paused": True})
    refused = (await call("GET", "/Users")).status
    discovery = (await call("GET", "/Schemas")).status
    resumed = await admin("PATCH", "admin/scim-settings", {"paused": False})

    assert paused.attributes == {
        "enabled": True,
        "paused": True,
        "site-admin-group-scim-id": group,
        "site-admin-group-display-name": "admins",
    }
    assert (refused, discovery, (await call("GET", "/Users")).status) == (403, 200, 200)
    assert resumed.attributes["site-admin-group-scim-id"] == group


async def test_a_pause_by_the_operator_is_seen_in_the_settings(admin, tfe):
    tfe.pause()

    assert (await admin.settings())["paused"] is True


async def test_an_update_cannot_disable_and_changes_nothing_when_refused(admin):
    answer = await admin("PATCH", "admin/scim-settings", {"paused": True, "enabled": False})

    assert answer.status == 422
    assert await admin.settings() == {**OFF, "enabled": True}


async def test_enabling_what_is_enabled_is_fine(admin):
    assert (await admin("PATCH", "admin/scim-settings", {"enabled": True})).status == 200


async def test_deleting_the_settings_wipes_scim_and_reads_false_or_null_afterwards(
    admin, call, tfe, new_team
):
    ident = await call.user("ada")
    group = await call.group("crew", [ident])
    team = new_team()
    await admin.link(team, group)
    await admin("PATCH", "admin/scim-settings", {"paused": True})

    deleted = await admin("DELETE", "admin/scim-settings")
    again = await admin("DELETE", "admin/scim-settings")
    tokens = await admin("GET", "admin/scim-tokens")
    groups = await admin("GET", "admin/scim-groups")

    assert (deleted.status, deleted.attributes) == (200, OFF)
    assert (again.status, again.attributes) == (200, OFF)
    assert (tokens.json["data"], groups.json["data"]) == ([], [])
    assert (await call("GET", "/Schemas")).status == 401
    assert tfe.site.estate.team(team).link is None
    assert tfe.site.estate.team(team).members == ("ada",)


async def test_after_a_wipe_and_a_new_start_every_id_is_new(admin, call):
    before = await call.group("crew")
    await admin("DELETE", "admin/scim-settings")
    await admin("PATCH", "admin/scim-settings", {"enabled": True})
    made = await admin("POST", "admin/scim-tokens", {})

    empty = await admin("GET", "admin/scim-groups")
    after = await call.group("crew")

    assert call.tfe.token == made.attributes["token"]
    assert empty.json["meta"]["pagination"]["total-count"] == 0
    assert before != after


@pytest.mark.parametrize(
    "saml", [{"enabled": False}, {"provider-type": "unknown"}, {"enabled": False, "debug": True}]
)
async def test_enabling_needs_saml_with_a_provider_that_is_known(admin, saml):
    await admin("DELETE", "admin/scim-settings")
    await admin("PATCH", "admin/saml-settings", saml)
    refused = await admin("PATCH", "admin/scim-settings", {"enabled": True})
    await admin("PATCH", "admin/saml-settings", {"enabled": True, "provider-type": "entra"})
    accepted = await admin("PATCH", "admin/scim-settings", {"enabled": True})

    assert (refused.status, accepted.status) == (422, 200)


async def test_saml_settings_keep_what_is_not_named_and_show_no_private_key(admin):
    await admin("PATCH", "admin/saml-settings", {"attr-groups": "MemberOf", "private-key": "k"})
    answer = await admin("GET", "admin/saml-settings")
    unknown = await admin("PATCH", "admin/saml-settings", {"provider-type": "myspace"})

    assert answer.json["data"]["type"] == "saml-settings"
    assert answer.attributes["attr-groups"] == "MemberOf"
    assert (answer.attributes["enabled"], answer.attributes["provider-type"]) == (True, "okta")
    assert "private-key" not in answer.attributes
    assert unknown.status == 422


async def test_the_site_admin_group_is_set_named_and_unset_by_null(admin, call):
    group = await call.group("admins")
    linked = await admin("PATCH", "admin/scim-settings", {"site-admin-group-scim-id": group})
    await call.patch(f"/Groups/{group}", {"op": "Replace", "value": {"displayName": "root"}})
    renamed = await admin.settings()
    unlinked = await admin("PATCH", "admin/scim-settings", {"site-admin-group-scim-id": None})

    assert linked.attributes["site-admin-group-display-name"] == "admins"
    assert renamed["site-admin-group-display-name"] == "root"
    assert unlinked.attributes == {**OFF, "enabled": True}


async def test_a_site_admin_group_that_is_deleted_is_none_any_more(admin, call):
    group = await call.group("admins")
    await admin("PATCH", "admin/scim-settings", {"site-admin-group-scim-id": group})
    await call("DELETE", f"/Groups/{group}")

    assert (await admin.settings())["site-admin-group-scim-id"] is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        ({}, 422),
        ({"data": {}}, 422),
        ({"data": {"attributes": {"paused": "yes"}}}, 422),
        ({"data": {"attributes": {"enabled": 1}}}, 422),
        ({"data": {"attributes": {"site-admin-group-scim-id": "nobody"}}}, 422),
        ({"data": {"attributes": {"site-admin-group-scim-id": 5}}}, 422),
        ({"data": {"type": "", "attributes": {"paused": True}}}, 200),
    ],
)
async def test_what_cannot_be_understood_is_400_or_422_and_the_type_may_be_empty(
    admin, body, status
):
    assert (await admin("PATCH", "admin/scim-settings", body=body)).status == status


@pytest.mark.parametrize("wish", [{"paused": True}, {"site-admin-group-scim-id": "any"}])
async def test_while_disabled_nothing_can_be_paused_or_given(admin, wish):
    await admin("DELETE", "admin/scim-settings")

    assert (await admin("PATCH", "admin/scim-settings", wish)).status == 422
