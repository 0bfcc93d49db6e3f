"""Organisations and teams: made, found, changed, deleted, and seen by their members only."""

from __future__ import annotations

import pytest


@pytest.fixture
async def acme(admin):
    answer = await admin("POST", "organizations", {"name": "acme", "email": "a@acme.example"})
    assert answer.status == 201
    return answer.json["data"]


async def test_an_organisation_comes_with_its_owners_team(admin, acme):
    teams = await admin("GET", "organizations/acme/teams", q="OWN")

    assert (acme["id"], acme["type"]) == ("acme", "organizations")
    assert acme["attributes"]["external-id"].startswith("org-")
    assert teams.names == ["owners"]
    assert teams.json["data"][0]["attributes"]["users-count"] == 1


async def test_a_team_is_made_found_changed_and_deleted(admin, acme):
    access = {"manage-workspaces": True, "manage-teams": "x"}
    made = await admin(
        "POST", "organizations/acme/teams", {"name": "crew", "organization-access": access}
    )
    ident = made.json["data"]["id"]
    renamed = await admin(
        "PATCH", f"teams/{ident}", {"name": "ship", "sso-team-id": "s", "visibility": "secret"}
    )
    named = await admin("GET", "organizations/acme/teams", **{"filter[names]": "ship,none"})
    deleted = await admin("DELETE", f"teams/{ident}")

    assert (made.status, made.json["data"]["type"]) == (201, "teams")
    assert made.attributes["organization-access"] == {"manage-workspaces": True}
    assert (renamed.attributes["name"], renamed.attributes["sso-team-id"]) == ("ship", "s")
    assert named.names == ["ship"]
    assert deleted.status == 204
    assert (await admin("GET", f"teams/{ident}")).status == 404


async def test_members_are_added_and_taken_out_by_name_or_id(admin, acme, tfe):
    tfe.site.people.issue("ada", site_admin=False)
    team = (await admin("POST", "organizations/acme/teams", {"name": "crew"})).json["data"]["id"]
    path = f"teams/{team}/relationships/users"
    await admin("POST", path, body={"data": [{"type": "users", "id": "ada"}]})
    shown = (await admin("GET", f"teams/{team}")).json["data"]["relationships"]["users"]["data"]
    taken = await admin("DELETE", path, body={"data": shown})
    unknown = await admin("POST", path, body={"data": [{"type": "users", "id": "nobody"}]})
    wrong = await admin("POST", path, body={"data": {}})

    assert [one["type"] for one in shown] == ["users"]
    assert tfe.site.estate.team(team).members == ()
    assert (taken.status, unknown.status, wrong.status) == (204, 404, 422)


@pytest.mark.parametrize("name", ["crew", "a b", "", "x" * 41, None])
async def test_names_are_unique_and_of_few_characters(admin, acme, name):
    await admin("POST", "organizations/acme/teams", {"name": "crew"})

    assert (await admin("POST", "organizations/acme/teams", {"name": name})).status == 422


async def test_an_organisation_s_name_is_taken_once_and_free_after_its_deletion(admin, acme):
    again = {"name": "acme", "email": "b@acme.example"}
    taken = await admin("POST", "organizations", again)
    deleted = await admin("DELETE", "organizations/acme")
    gone = await admin("GET", "organizations/acme/teams")
    free = await admin("POST", "organizations", again)

    assert (taken.status, deleted.status, gone.status, free.status) == (422, 204, 404, 201)


async def test_the_owners_team_cannot_be_deleted(admin, acme):
    owners = (await admin("GET", "organizations/acme/teams")).json["data"][0]["id"]

    assert (await admin("DELETE", f"teams/{owners}")).status == 403


async def test_only_members_and_site_administrators_see_an_organisation(admin, acme, tfe):
    inside = tfe.site.people.issue("inside", site_admin=False)
    outside = tfe.site.people.issue("outside", site_admin=False)
    team = tfe.site.estate.form("acme", "crew", ("inside",)).id
    paths = ["organizations/acme", "organizations/acme/teams", f"teams/{team}"]

    seen = [
        [(await admin("GET", path, token=token)).status for path in paths]
        for token in (inside, outside)
    ]
    listed = [
        (await admin("GET", "organizations", token=token)).names for token in (inside, outside)
    ]

    assert seen == [[200] * 3, [404] * 3]
    assert listed == [["acme"], []]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "organizations"),
        ("PUT", "organizations/acme"),
        ("PUT", "organizations/acme/teams"),
        ("GET", "organizations/acme/workspaces"),
        ("PUT", "teams/{owners}"),
        ("GET", "teams/{owners}/relationships/users"),
        ("GET", "teams/{owners}/else"),
        ("POST", "account/details"),
        ("POST", "admin/users"),
        ("PUT", "admin/scim-settings"),
        ("PUT", "admin/saml-settings"),
        ("PUT", "admin/scim-tokens"),
        ("PUT", "admin/scim-tokens/{token}"),
        ("GET", "admin/users/{user}/actions/suspend"),
        ("GET", "admin/workspaces"),
        ("PUT", "admin/teams/{owners}/scim-group-mapping"),
        ("GET", "authentication-tokens/at-1"),
        ("GET", "workspaces"),
    ],
)
async def test_what_the_stand_in_does_not_have_is_a_404(admin, acme, tfe, method, path):
    ids = {
        "owners": (await admin("GET", "organizations/acme/teams")).json["data"][0]["id"],
        "token": tfe.access.tokens()[0].id,
        "user": (await admin("GET", "account/details")).json["data"]["id"],
    }

    assert (await admin(method, path.format(**ids))).status == 404


async def test_a_team_may_be_given_the_name_it_has(admin, acme):
    made = await admin("POST", "organizations/acme/teams", {"name": "crew"})
    same = await admin("PATCH", f"teams/{made.json['data']['id']}", {"name": "crew"})

    assert (same.status, same.attributes["name"]) == (200, "crew")
