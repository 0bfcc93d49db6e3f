"""TFE's own side, as its admin API shows it, in status, log and metrics; each trouble injected."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.idp import add, remove
from support.relays import relay_for, typed, until, write_config

from relay.simulator.admin import orders
from relay.simulator.admin.budgets import AdminLimits
from relay.simulator.behaviour import Behaviour, RateLimit, SimulatorSettings
from relay.simulator.server import simulator

DAY_S = 86_400


@pytest.fixture
async def tfe():
    settings = SimulatorSettings(
        limit=RateLimit(rate=0), admin_limits=AdminLimits(api=0, settings=0, links=0)
    )
    async with simulator(settings) as sim:
        yield sim


def admin_keys(tfe, folder, token=None):
    path = folder / "admin-token"
    path.write_text(token or tfe.site.people.issue())
    path.chmod(0o600)
    return {"url": tfe.admin_url, "token_file": str(path)}


@asynccontextmanager
async def watching(tfe, folder, **sections):
    """A relay with the admin API, which has read all of it once."""
    keys = {"target": {"rate": 100}, "answer": {"wait": "0s"}, **sections}
    if "admin_api" not in keys:
        keys["admin_api"] = admin_keys(tfe, folder)
    async with relay_for(tfe, folder, **keys) as relay:
        await until(lambda: relay.parts.site.seen.people or relay.parts.site.seen.failed)
        yield relay


async def found(relay):
    await relay.parts.site.look(everything=True)
    return {one["what"]: one for one in (await relay.status())["site"]["findings"]}


def metric(relay, name, **labels):
    return relay.parts.metrics.registry.get_sample_value(f"scim_relay_{name}", labels)


async def test_nothing_is_said_of_a_site_that_is_as_it_should_be(tfe, tmp_path):
    guard = {"protected_users": ["site-admin@tfe.example.com"]}
    async with watching(tfe, tmp_path, guard=guard) as relay:
        assert await found(relay) == {}
        site = (await relay.status())["site"]
    assert (site["scim"], site["version"]) == ("running", tfe.site.version)
    assert site["recovery_accounts"] == [{"username": "site-admin", "protected": True}]
    assert [token["days_left"] for token in site["tokens"]] == [365.0]


async def test_without_the_admin_api_status_says_so(tfe, tmp_path):
    async with relay_for(tfe, tmp_path) as relay:
        assert (await relay.status())["site"] is None


@pytest.mark.parametrize(("days", "urgent"), [(29.5, False), (10, False), (2, True)])
async def test_the_end_of_any_scim_token_is_told_before_it_comes(tfe, tmp_path, days, urgent):
    other = tfe.access.issue("other-token", description="of the old relay")
    tfe.access.expire(other, days * DAY_S)
    async with watching(tfe, tmp_path) as relay:
        told = (await found(relay))["token_ends"]
        left_s = metric(relay, "scim_token_seconds_left", token=tfe.access.tokens()[1].id)
    assert f"{days:.1f} days" in told["cause"]
    assert "of the old relay" in told["cause"]
    assert told["urgent"] is urgent
    assert left_s == pytest.approx(days * DAY_S, abs=60)


async def test_a_pause_is_named_although_tfe_answers_it_with_401(tfe, tmp_path):
    tfe.behave(Behaviour(pause_status=401))
    async with watching(tfe, tmp_path) as relay:
        tfe.pause()
        await relay.idp.create_user("ada@example.com")
        await relay.held("paused")
        await relay.lifted("token")
        [hold] = (await relay.status())["holds"]
        assert "paused" in hold["reason"]
        tfe.resume()
        await relay.settled()
    assert len(list(tfe.directory.users)) == 1


async def test_disabled_is_told_from_paused_and_from_a_bad_token(tfe, tmp_path):
    async with watching(tfe, tmp_path) as relay:
        tfe.disable()
        await relay.idp.create_user("ada@example.com")

        def explained():
            return any("is disabled" in hold.reason for hold in relay.parts.keeper.holds.standing)

        await until(explained)
        told = await found(relay)
    assert "rebuild" in told["site_disabled"]["cure"]
    assert "token_refused" not in told


async def test_a_bad_token_is_told_from_a_pause(tfe, tmp_path):
    async with watching(tfe, tmp_path) as relay:
        tfe.rotate_token()
        await relay.idp.create_user("ada@example.com")
        await relay.held("token")
        told = await found(relay)
        await until(lambda: "SCIM runs" in relay.parts.keeper.holds.standing[0].reason)
        (tmp_path / "tfe-token").write_text(tfe.token)
        await relay.settled()
    assert "401" in told["token_refused"]["cause"]


async def test_a_resume_is_noticed_at_once_however_long_the_next_probe_would_take(tfe, tmp_path):
    async with watching(tfe, tmp_path) as relay:
        tfe.pause()
        await relay.idp.create_user("ada@example.com")
        await relay.held("paused")
        await until(lambda: relay.parts.site.seen.settings.state == "paused")
        keeper = relay.parts.keeper
        keeper._probe_at = keeper._clock.monotonic() + 3_600
        tfe.resume()
        await until(lambda: not keeper.holds.standing, 8)
        await relay.settled()


async def test_the_site_admin_group_is_named_with_whether_the_guard_protects_it(tfe, tmp_path):
    async with watching(tfe, tmp_path) as relay:
        await relay.idp.create_group("Site Admins")
        await relay.settled()
        orders.site_admin_group(tfe, {"group": "Site Admins"})
        told = await found(relay)
        shown = (await relay.status())["site"]["site_admin_group"]
    assert shown == {"name": "Site Admins", "protected": False}
    assert "guard.protected_groups" in told["site_admin_group"]["cure"]
    async with watching(tfe, tmp_path, guard={"protected_groups": ["Site Admins"]}) as relay:
        assert "site_admin_group" not in await found(relay)


async def test_that_no_way_in_is_left_but_the_identity_provider_is_said(tfe, tmp_path):
    async with watching(tfe, tmp_path) as relay:
        assert "protected_users" in (await found(relay))["recovery_account"]["cure"]
        group = await relay.idp.create_group("Root", await relay.idp.create_user("root@x.org"))
        await relay.settled()
        orders.site_admin_group(tfe, {"group": "Root"})
        managed = next(iter(tfe.directory.users)).account
        token = tfe.site.people.issue(managed, site_admin=False)
        tfe.site.people.dismiss("site-admin")
        (tmp_path / "admin-token").write_text(token)
        told = await found(relay)
        assert group
    assert "nobody can sign in" in told["recovery_account"]["cause"]


async def test_a_team_that_is_paused_and_one_that_lags_are_named(tfe, tmp_path):
    orders.organizations(tfe, {"name": "acme"})
    team = orders.teams(tfe, {"organization": "acme", "name": "devs"})["id"]
    async with watching(tfe, tmp_path) as relay:
        crew = await relay.idp.create_group("Crew")
        await relay.settled()
        orders.links(tfe, {"team": team, "group": "Crew"})
        assert not (await found(relay)).keys() & {"team_lags", "team_paused"}

        orders.links(tfe, {"team": team, "stalled": True, "synced_s_ago": 7_200})
        ada = await relay.idp.create_user("ada@example.com")
        await relay.idp.patch(f"/Groups/{crew}", add(ada))
        await relay.settled()
        assert "team_lags" not in await found(relay)
        await relay.store.run(
            lambda tx: tx.run("UPDATE attempt SET settled_at = settled_at - 3600")
        )
        told = await found(relay)
        assert "acme/devs" in told["team_lags"]["cause"]
        assert "2.0 hours ago" in told["team_lags"]["cause"]
        assert metric(relay, "site_trouble", what="team_lags") == 1

        orders.links(tfe, {"team": team, "paused": True})
        told = await found(relay)
        assert "resume it" in told["team_paused"]["cure"]
        assert "team_lags" not in told
        assert metric(relay, "site_trouble", what="team_lags") is None


async def test_another_release_of_tfe_is_told_over_a_restart(tfe, tmp_path):
    async with watching(tfe, tmp_path) as relay:
        assert "version_changed" not in await found(relay)
    before = tfe.site.version
    tfe.site.version = "2.1.7"
    async with watching(tfe, tmp_path) as relay:
        assert f"2.1.7, was {before}" in (await found(relay))["version_changed"]["cause"]
    async with watching(tfe, tmp_path) as relay:
        assert f"2.1.7, was {before}" in (await found(relay))["version_changed"]["cause"]


async def test_a_404_that_means_not_allowed_is_said_so_and_keeps_nothing_from_being_sent(
    tfe, tmp_path
):
    weak = tfe.site.people.issue("somebody", site_admin=False)
    keys = admin_keys(tfe, tmp_path, weak)
    async with watching(tfe, tmp_path, admin_api=keys) as relay:
        await relay.idp.create_user("ada@example.com")
        await relay.settled()
        told = (await found(relay))["admin_api"]
    assert "not allowed" in told["cause"]
    assert "site administrator" in told["cure"]
    assert len(list(tfe.directory.users)) == 1


async def test_check_tells_the_same_before_the_relay_is_started(tfe, tmp_path):
    tfe.pause()
    tfe.access.expire(tfe.token, 10 * DAY_S)
    (tmp_path / "tfe-token").write_text(tfe.token)
    (tmp_path / "tfe-token").chmod(0o600)
    write_config(tfe, tmp_path, admin_api=admin_keys(tfe, tmp_path))
    code, shown = await typed(tmp_path, "check")
    assert code == 1
    lines = [line.split(None, 2)[:2] for line in shown.splitlines()]
    assert ["FAIL", "site_paused:"] in lines
    assert ["WARN", "token_ends:"] in lines


async def test_check_asks_a_running_relay_which_knows_what_lags(tfe, tmp_path):
    orders.organizations(tfe, {"name": "acme"})
    team = orders.teams(tfe, {"organization": "acme", "name": "devs"})["id"]
    async with watching(tfe, tmp_path) as relay:
        crew = await relay.idp.create_group("Crew")
        await relay.settled()
        orders.links(tfe, {"team": team, "group": "Crew"})
        orders.links(tfe, {"team": team, "stalled": True, "synced_s_ago": 7_200})
        ada = await relay.idp.create_user("ada@example.com")
        await relay.idp.patch(f"/Groups/{crew}", add(ada))
        await relay.settled()
        await relay.store.run(
            lambda tx: tx.run("UPDATE attempt SET settled_at = settled_at - 3600")
        )
        _, shown = await typed(tmp_path, "check")
    assert "WARN  team_lags: the team acme/devs" in shown


async def test_a_part_of_a_large_group_that_no_team_follows_is_named_with_its_head_count(
    tfe, tmp_path
):
    orders.organizations(tfe, {"name": "acme"})
    team = orders.teams(tfe, {"organization": "acme", "name": "devs"})["id"]
    measured = tmp_path / "profile.json"
    measured.write_text('{"limits": {"max_members": 2}}')
    tfe.behave(replace(tfe.behaviour, member_limit=2))
    groups = {"oversize": "overflow", "overflow_acknowledged": True}
    target = {"profile_file": str(measured), "rate": 100}
    async with watching(tfe, tmp_path, groups=groups, target=target) as relay:
        people = [await relay.idp.create_user(f"user{number}@x.org") for number in range(3)]
        crew = await relay.idp.create_group("Crew", *people)
        await relay.settled()
        orders.links(tfe, {"team": team, "group": "Crew"})
        cause = (await found(relay))["part_unlinked"]["cause"]
        assert "Crew (2)" in cause
        assert "1 members" in cause
        assert metric(relay, "unlinked_part_members") == 1
        code, shown = await typed(tmp_path, "groups", "parts")
        assert code == 0
        assert [line.split()[-2] for line in shown.splitlines()[1:]] == ["true", "false"]
        shown = [(one["part"], one["refused"]) for one in (await relay.status())["parts"]]
        assert shown == [("Crew", False), ("Crew (2)", False)]

        await relay.idp.patch(f"/Groups/{crew}", remove(people[2]))
        await relay.settled()
        code, shown = await typed(tmp_path, "groups", "compact", "Crew", "--reason", "empty")
        assert (code, "Crew (2)" in shown) == (0, True)
        await relay.settled()
        assert "part_unlinked" not in await found(relay)
        assert [one.fields.display_name for one in tfe.directory.groups] == ["Crew"]


async def test_each_user_is_told_with_when_scim_last_changed_it(tfe, tmp_path):
    async with watching(tfe, tmp_path) as relay:
        for name in ("ada@example.com", "bob@example.com"):
            await relay.idp.create_user(name)
        await relay.settled()
        code, shown = await typed(tmp_path, "site", "--users", "--json")
        users = [json.loads(line) for line in shown.splitlines()]
        assert code == 0
        assert {one["scim_username"] for one in users} == {"ada@example.com", "bob@example.com"}
        assert all(one["scim_updated"].endswith("Z") for one in users)
        code, shown = await typed(tmp_path, "site")
        assert (code, "managed users: 2" in shown) == (0, True)


def on(days):
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize(("days", "level"), [(20, "WARN"), (2, "FAIL"), (-2, "FAIL")])
async def test_the_end_of_the_token_is_told_by_the_configuration_without_an_admin_api(
    tfe, tmp_path, days, level
):
    ends = on(days)
    async with relay_for(tfe, tmp_path, target={"token_expires": ends}) as relay:
        await until(lambda: metric(relay, "scim_token_seconds_left", token="configured"))
        left = metric(relay, "scim_token_seconds_left", token="configured")
        assert days - 0.1 < left / DAY_S < days
        assert metric(relay, "site_trouble", what="token_ends") == 1
        assert (await relay.status())["target_token"]["ends"] == ends
    _, shown = await typed(tmp_path, "check", "--offline")
    [line] = [one for one in shown.splitlines() if "token_ends" in one]
    assert line.startswith(f"{level}  token_ends: the SCIM token in target.token_file end")
    assert "target.token_expires" in line


async def test_an_end_that_is_far_away_is_only_measured(tfe, tmp_path):
    async with relay_for(tfe, tmp_path, target={"token_expires": on(90)}) as relay:
        await until(lambda: metric(relay, "scim_token_seconds_left", token="configured"))
        assert metric(relay, "site_trouble", what="token_ends") is None
    assert "token_ends" not in (await typed(tmp_path, "check", "--offline"))[1]


async def test_once_the_admin_api_tells_the_configured_end_is_told_no_more(tfe, tmp_path):
    target = {"rate": 100, "token_expires": on(1)}
    async with watching(tfe, tmp_path, target=target) as relay:
        assert "token_ends" not in await found(relay)
        assert metric(relay, "scim_token_seconds_left", token="configured") is None
        assert (await relay.status())["target_token"] is None


async def test_where_the_admin_api_does_not_tell_the_configured_end_stands(tfe, tmp_path):
    target = {"rate": 100, "token_expires": on(1)}
    keys = admin_keys(tfe, tmp_path, token="not-an-admin-token-of-the-tests")
    async with watching(tfe, tmp_path, target=target, admin_api=keys) as relay:
        assert {"admin_api", "token_ends"} <= (await found(relay)).keys()
        assert metric(relay, "scim_token_seconds_left", token="configured") > 0
