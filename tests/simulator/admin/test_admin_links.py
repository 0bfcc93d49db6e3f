"""Links between teams and SCIM groups, and what becomes of a team's members."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from relay.simulator.faults import Fault, FaultKind, Match


async def test_linking_gives_the_team_the_group_s_members_and_says_so(
    admin, call, tfe, new_team, clock
):
    tfe.site.people.issue("hand-made", site_admin=False)
    team = new_team("crew", "hand-made")
    ada, bob = await call.user("ada"), await call.user("bob")
    group = await call.group("Engineering", [ada, bob])

    before = await admin.team(team)
    answer = await admin.link(team, group)
    after = await admin.team(team)

    assert (answer.status, answer.reply.body) == (204, b"")
    assert (before["scim-linked"], before["scim-group-name"]) == (False, None)
    assert (before["scim-sync-paused"], before["scim-updated-at"]) == (False, None)
    assert (after["scim-linked"], after["scim-group-name"]) == (True, "Engineering")
    assert after["scim-sync-paused"] is False
    assert after["scim-updated-at"].endswith("Z")
    assert (before["users-count"], after["users-count"]) == (1, 2)
    assert tfe.site.estate.team(team).members == ("ada", "bob")


async def test_membership_flows_to_linked_teams_and_moves_their_time(
    admin, call, tfe, new_team, clock
):
    ada, bob = await call.user("ada"), await call.user("bob")
    group = await call.group("crew", [ada])
    teams = [new_team("one"), new_team("two")]
    for team in teams:
        await admin.link(team, group)
    linked = (await admin.team(teams[0]))["scim-updated-at"]

    clock.turn(60)
    await call.patch(
        f"/Groups/{group}", {"op": "Add", "path": "members", "value": [{"value": bob}]}
    )
    added = [tfe.site.estate.team(team).members for team in teams]
    moved = (await admin.team(teams[0]))["scim-updated-at"]
    await call("DELETE", f"/Users/{ada}")

    assert added == [("ada", "bob")] * 2
    assert moved > linked
    assert [tfe.site.estate.team(team).members for team in teams] == [("bob",)] * 2


async def test_a_rename_of_the_group_is_no_synchronisation(admin, call, new_team, clock):
    group = await call.group("crew")
    team = new_team()
    await admin.link(team, group)
    linked = await admin.team(team)
    clock.turn(60)
    await call.patch(f"/Groups/{group}", {"op": "Replace", "value": {"displayName": "ship"}})

    renamed = await admin.team(team)

    assert renamed["scim-group-name"] == "ship"
    assert renamed["scim-updated-at"] == linked["scim-updated-at"]


async def test_a_paused_team_stays_as_it_is_and_is_reconciled_when_resumed(
    admin, call, tfe, new_team
):
    ada, bob = await call.user("ada"), await call.user("bob")
    group = await call.group("crew", [ada])
    paused, other = new_team("paused"), new_team("other")
    for team in (paused, other):
        await admin.link(team, group)

    statuses = [(await admin.pause(paused)).status for _ in range(2)]
    await call("PUT", f"/Groups/{group}", {"members": [{"value": bob}]})
    meanwhile = [tfe.site.estate.team(team).members for team in (paused, other)]
    shown = (await admin.team(paused))["scim-sync-paused"]
    statuses += [(await admin.pause(paused, paused=False)).status for _ in range(2)]

    assert statuses == [204] * 4
    assert meanwhile == [("ada",), ("bob",)]
    assert shown is True
    assert tfe.site.estate.team(paused).members == ("bob",)


async def test_a_stalled_team_lags_behind_its_group(admin, call, tfe, new_team, clock):
    ada = await call.user("ada")
    group = await call.group("crew", [])
    team = new_team()
    await admin.link(team, group)
    linked = (await admin.team(team))["scim-updated-at"]
    tfe.site.links.stall(team, stalled=True)
    clock.turn(3_600)
    await call("PUT", f"/Groups/{group}", {"members": [{"value": ada}]})

    seen = await admin.team(team)

    assert (seen["scim-updated-at"], seen["scim-sync-paused"]) == (linked, False)
    assert seen["users-count"] == 0


async def test_unlinking_keeps_the_members_and_frees_the_team_for_another_group(
    admin, call, tfe, new_team
):
    ada = await call.user("ada")
    first, second = await call.group("first", [ada]), await call.group("second")
    team = new_team()
    await admin.link(team, first)
    await admin.pause(team)

    answer = await admin.unlink(team)
    kept = tfe.site.estate.team(team).members
    seen = await admin.team(team)
    again = await admin.link(team, second)

    assert (answer.status, again.status, kept) == (204, 204, ("ada",))
    assert (seen["scim-linked"], seen["scim-group-name"]) == (False, None)
    assert (await admin.team(team))["scim-sync-paused"] is False


async def test_a_deleted_group_leaves_its_teams_their_members_without_a_link(
    admin, call, tfe, new_team
):
    ada = await call.user("ada")
    group = await call.group("crew", [ada])
    team = new_team()
    await admin.link(team, group)
    await call("DELETE", f"/Groups/{group}")

    assert (await admin.team(team))["scim-linked"] is False
    assert tfe.site.estate.team(team).members == ("ada",)


async def test_scim_s_attributes_of_a_team_are_absent_while_it_is_disabled(admin, new_team):
    team = new_team()
    enabled = await admin.team(team)
    await admin("DELETE", "admin/scim-settings")
    disabled = await admin.team(team)

    added = {"scim-linked", "scim-group-name", "scim-sync-paused", "scim-updated-at"}
    assert enabled.keys() - disabled.keys() == added
    assert disabled.keys() <= enabled.keys()


async def test_a_team_has_one_group(admin, call, new_team):
    first, second = await call.group("first"), await call.group("second")
    team = new_team()
    await admin.link(team, first)

    answers = [await admin.link(team, group) for group in (first, second)]

    assert [answer.refused for answer in answers] == [
        (409, "Team is already linked to a SCIM group")
    ] * 2
    assert {answer.json["errors"][0]["title"] for answer in answers} == {"conflict"}


async def test_what_is_not_linked_cannot_be_paused_or_unlinked(admin, new_team):
    team = new_team()
    answers = [await admin.pause(team), await admin.unlink(team)]

    assert [answer.refused for answer in answers] == [
        (409, "Team is not linked to a SCIM group")
    ] * 2


async def test_the_owners_team_and_the_site_admin_group_cannot_be_linked(
    admin, call, tfe, new_team
):
    group = await call.group("crew")
    admins = await call.group("admins")
    team = new_team()
    owners = tfe.site.estate.teams("acme")[0].id
    await admin("PATCH", "admin/scim-settings", {"site-admin-group-scim-id": admins})

    answers = [await admin.link(owners, group), await admin.link(team, admins)]

    assert [answer.refused for answer in answers] == [
        (422, "Owners team SCIM linking is not yet supported"),
        (422, "The site admin group cannot be linked to a team"),
    ]


async def test_a_group_past_the_limit_cannot_be_linked(admin, call, tfe, new_team):
    group = await call.group("crew", [await call.user("ada"), await call.user("bob")])
    tfe.behave(replace(tfe.behaviour, member_limit=1))
    team = new_team()

    assert (await admin.link(team, group)).status == 413
    assert (await admin.team(team))["scim-linked"] is False


async def test_unknown_teams_and_groups_are_404_before_the_body_is_looked_at(admin, call, new_team):
    group = await call.group("crew")
    answers = [
        await admin.link("team-nowhere", group),
        await admin.link(new_team(), "no-such-group"),
        await admin.pause("team-nowhere"),
        await admin.unlink("team-nowhere"),
        await admin("PATCH", "admin/teams/team-nowhere/scim-group-mapping", {}),
    ]

    assert [answer.status for answer in answers] == [404] * 5


@pytest.mark.parametrize("paused", ["true", None, 1])
async def test_a_pause_that_is_no_boolean_is_a_422(admin, call, new_team, paused):
    team = new_team()
    await admin.link(team, await call.group("crew"))

    assert (await admin.pause(team, paused)).status == 422


async def test_a_linking_that_times_out_is_a_500_and_rolled_back(admin, call, tfe, new_team):
    group = await call.group("crew")
    team = new_team()
    fault = Fault(kind=FaultKind.STATUS, status=500, detail="Linking timed out")
    tfe.faults.add(fault, Match(method="POST", path="scim-group-mapping$"))

    first, second = await admin.link(team, group), await admin.link(team, group)

    assert (first.refused, second.status) == ((500, "Linking timed out"), 204)


async def test_a_linking_whose_answer_is_lost_has_taken_place(admin, call, tfe, new_team):
    group = await call.group("crew")
    team = new_team()
    tfe.faults.add(Fault(kind=FaultKind.STATUS_AFTER, status=502), Match(path="mapping"))

    lost = await admin.link(team, group)

    assert lost.status == 502
    assert (await admin.team(team))["scim-linked"] is True


async def test_a_linking_that_takes_long_takes_place_when_it_is_let_go(admin, call, tfe, new_team):
    group = await call.group("crew")
    team = new_team()
    rule = tfe.faults.add(Fault(kind=FaultKind.SLOW_BEFORE), Match(path="mapping"))

    async with asyncio.TaskGroup() as tasks:
        linking = tasks.create_task(admin.link(team, group))
        await tfe.log.until(lambda log: log.entries(path="/api/v2/admin/teams") != [])
        meanwhile = (await admin.team(team))["scim-linked"]
        rule.release()

    assert (meanwhile, linking.result().status) == (False, 204)


async def test_a_linked_team_belongs_to_scim_paused_or_not(admin, call, tfe, new_team):
    tfe.site.people.issue("hand-made", site_admin=False)
    team = new_team("crew")
    users = {"data": [{"type": "users", "id": "hand-made"}]}
    path = f"teams/{team}/relationships/users"
    added = await admin("POST", path, body=users)
    await admin.link(team, await call.group("crew"))
    await admin.pause(team)

    refused = [
        await admin("POST", path, body=users),
        await admin("DELETE", path, body=users),
        await admin("PATCH", f"teams/{team}", {"name": "other"}),
        await admin("DELETE", f"teams/{team}"),
    ]
    allowed = await admin(
        "PATCH", f"teams/{team}", {"visibility": "organization", "sso-team-id": "x"}
    )

    assert added.status == 204
    assert [answer.status for answer in refused] == [403] * 4
    assert allowed.status == 200
    assert (allowed.attributes["visibility"], allowed.attributes["sso-team-id"]) == (
        "organization",
        None,
    )
