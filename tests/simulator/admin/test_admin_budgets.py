"""The admin API's own budgets: 20 a second for settings, 10 a minute for links, each caller's own."""

from __future__ import annotations

import pytest

from relay.simulator.admin.budgets import AdminLimits


@pytest.fixture
def limited(tfe):
    tfe.site.budgets.change(AdminLimits())


async def times(number, request):
    return [(await request()).status for _ in range(number)]


async def test_the_21st_read_of_the_settings_in_a_second_is_a_429(admin, limited, clock):
    statuses = await times(21, lambda: admin("GET", "admin/scim-settings"))
    refused = await admin("GET", "admin/scim-settings")
    clock.turn(1)

    assert statuses == [200] * 20 + [429]
    assert refused.json["errors"][0]["status"] == "429"
    assert "Retry-After" not in refused.headers
    assert (await admin("GET", "admin/scim-settings")).status == 200


async def test_the_11th_change_of_a_link_in_a_minute_is_a_429_and_changes_nothing(
    admin, call, tfe, new_team, limited, clock
):
    team = new_team()
    await admin.link(team, await call.group("crew"))
    statuses = await times(9, lambda: admin.pause(team))
    refused = await admin.unlink(team)
    still = (await admin.team(team))["scim-linked"]
    clock.turn(60)

    assert statuses == [204] * 9
    assert (refused.status, still) == (429, True)
    assert (await admin.unlink(team)).status == 204


async def test_a_429_says_in_seconds_when_there_is_room_again(admin, new_team, limited, clock):
    team = new_team()
    first = await admin.unlink(team)
    clock.turn(12.5)
    await times(9, lambda: admin.unlink(team))
    refused = await admin.unlink(team)
    clock.turn(float(refused.headers["X-RateLimit-Reset"]))
    after = await admin.unlink(team)

    assert (first.headers["X-RateLimit-Limit"], first.headers["X-RateLimit-Remaining"]) == (
        "10",
        "9",
    )
    assert (refused.status, refused.headers["X-RateLimit-Remaining"]) == (429, "0")
    assert float(refused.headers["X-RateLimit-Reset"]) == pytest.approx(47.5)
    assert after.status == 409


async def test_a_refused_request_costs_nothing(admin, new_team, limited, clock):
    team = new_team()
    await times(30, lambda: admin.unlink(team))
    clock.turn(60)

    assert await times(11, lambda: admin.unlink(team)) == [409] * 10 + [429]


async def test_each_administrator_has_a_budget_and_scim_has_its_own(
    admin, call, tfe, new_team, limited
):
    team = new_team()
    other = tfe.site.people.issue("second-admin")
    path = f"admin/teams/{team}/scim-group-mapping"
    first = await times(11, lambda: admin("DELETE", path))
    second = await times(1, lambda: admin("DELETE", path, token=other))

    assert first[-1] == 429
    assert second == [409]
    assert (await call("GET", "/Users")).status == 200
    assert (await admin("GET", "admin/scim-settings")).status == 200


async def test_other_endpoints_have_thirty_a_second(admin, limited):
    answer = await admin("GET", "admin/scim-groups")

    assert answer.headers["X-RateLimit-Limit"] == "30"
    assert (await times(30, lambda: admin("GET", "admin/scim-tokens")))[-1] == 429


async def test_without_a_limit_no_budget_is_named(admin):
    assert "X-RateLimit-Limit" not in (await admin("GET", "admin/scim-settings")).headers
