"""What the reader of the admin API tells, against the stand-in over sockets."""

from __future__ import annotations

import pytest

from relay.clock import RandomIds, SystemClock
from relay.simulator import Fault, FaultKind, Match, SimulatorSettings, simulator
from relay.simulator.admin.budgets import AdminLimits
from relay.simulator.seed import sow
from relay.target import FixedToken, TargetClient
from relay.target.admin import (
    AdminFailed,
    AdminReader,
    Budget,
    Budgets,
    Reason,
    ScimGroup,
    SiteState,
    admin_endpoint,
)

DAY_S = 86_400
UNLIMITED = AdminLimits(api=0, settings=0, links=0)


@pytest.fixture
async def sim():
    async with simulator(SimulatorSettings(admin_limits=UNLIMITED)) as running:
        yield running


@pytest.fixture
async def new_reader(sim):
    """Opens readers of the stand-in, quick ones unless they are given budgets."""
    clients = []

    async def start(token=None, budgets=None, url=None):
        endpoint = admin_endpoint(url or sim.admin_url, timeout_s=5.0)
        client = TargetClient(endpoint, FixedToken(token or sim.site.people.issue()), SystemClock())
        clients.append(client)
        await client.__aenter__()
        quick = Budgets(*(Budget(1_000, 0.01) for _ in range(3)))
        return AdminReader(client, budgets or quick, RandomIds())

    yield start
    for client in clients:
        await client.__aexit__(None, None, None)


@pytest.fixture
async def reader(new_reader):
    return await new_reader()


async def failure(read):
    with pytest.raises(AdminFailed) as caught:
        await read()
    return caught.value


async def test_running_paused_and_disabled_are_told_apart(sim, reader):
    states = [(await reader.settings()).state]
    sim.pause()
    states.append((await reader.settings()).state)
    sim.disable()
    states.append((await reader.settings()).state)

    assert states == [SiteState.RUNNING, SiteState.PAUSED, SiteState.DISABLED]


async def test_the_site_admin_group_is_named(sim, reader):
    before = await reader.settings()
    group = sow(sim.directory, {"groups": [{"displayName": "root"}]})["groups"][0]
    sim.site.people.site_admin_group = group
    after = await reader.settings()

    assert (before.site_admin_group_id, before.site_admin_group_name) == (None, None)
    assert (after.site_admin_group_id, after.site_admin_group_name) == (group, "root")


async def test_tokens_tell_when_they_end_and_when_they_were_used(sim, reader):
    sim.access.issue("second", lifetime_s=10 * DAY_S, description="Okta")
    first, second = await reader.tokens()

    assert second.expires - second.created == pytest.approx(10 * DAY_S, abs=1)
    assert first.expires - first.created == pytest.approx(365 * DAY_S, abs=1)
    assert (first.description, second.description) == ("", "Okta")
    assert first.last_used is None
    sim.access.check_token("Bearer second")
    used = (await reader.tokens())[1].last_used
    assert used == pytest.approx(SystemClock().wall(), abs=5)


async def test_groups_come_from_every_page(sim, reader):
    names = [f"group {number:03}" for number in range(205)]
    ids = sow(sim.directory, {"groups": [{"displayName": name} for name in names]})["groups"]
    found = await reader.groups()
    part = await reader.groups("P 20")

    assert found == [ScimGroup(*pair) for pair in zip(ids, names, strict=True)]
    assert [group.name for group in part] == names[200:]
    assert len(sim.log.entries(path="/api/v2/admin/scim-groups")) == 3 + 1


async def test_a_linked_team_tells_its_group_its_pause_and_its_last_synchronisation(sim, reader):
    group = sow(sim.directory, {"groups": [{"displayName": "Engineering"}]})["groups"][0]
    sim.site.estate.found("acme", "owner@acme.example", None)
    ident = sim.site.estate.form("acme", "crew").id
    unlinked = await reader.team(ident)
    sim.site.links.make(ident, group)
    sim.site.links.pause(ident, paused=True)
    linked = await reader.team(ident)
    listed = await reader.teams("acme")
    sim.disable()
    disabled = await reader.team(ident)

    assert (unlinked.scim_enabled, unlinked.link) == (True, None)
    assert (linked.link.group_name, linked.link.paused) == ("Engineering", True)
    assert linked.link.synced == pytest.approx(SystemClock().wall(), abs=5)
    assert [team.name for team in listed] == ["owners", "crew"]
    assert (await reader.organizations()) == ["acme"]
    assert (disabled.scim_enabled, disabled.link) == (False, None)


async def test_users_tell_what_scim_manages_and_nothing_of_it_while_disabled(sim, reader):
    sow(sim.directory, {"users": [{"userName": "Ada", "email": "ada@x", "active": False}]})
    manual, ada = sorted(await reader.users(), key=lambda user: user.scim_managed)
    sim.disable()
    later = await reader.users()

    assert (manual.is_admin, manual.scim_managed, manual.scim_username) == (True, False, None)
    assert (ada.username, ada.email, ada.scim_username) == ("ada", "ada@x", "Ada")
    assert (ada.is_suspended, ada.is_admin, ada.scim_managed) == (True, False, True)
    assert ada.scim_updated == pytest.approx(SystemClock().wall(), abs=5)
    assert {(user.scim_managed, user.scim_username, user.scim_updated) for user in later} == {
        (None, None, None)
    }


async def test_the_version_is_that_of_the_last_answer(sim, reader):
    versions = [reader.version]
    for version in ("2.0.1", "2.1.0"):
        sim.site.version = version
        await reader.account()
        versions.append(reader.version)

    assert versions == [None, "2.0.1", "2.1.0"]


async def test_a_404_that_means_not_allowed_is_said_so(sim, new_reader):
    reader = await new_reader(sim.site.people.issue("visitor", site_admin=False))
    refused = await failure(reader.settings)

    assert (refused.reason, refused.status) == (Reason.NOT_ALLOWED, 404)
    assert "not allowed" in str(refused)
    assert (await reader.account()).is_admin is False


async def test_a_404_without_tfe_s_version_may_come_from_somebody_else(sim, reader, new_reader):
    elsewhere = await new_reader(url=sim.control_url)
    tfe = await new_reader(sim.site.people.issue("visitor", site_admin=False))
    refusals = [await failure(one.settings) for one in (elsewhere, tfe)]

    assert [refused.reason for refused in refusals] == [Reason.NOT_ALLOWED] * 2
    assert ["not TFE's API" in str(refused) for refused in refusals] == [True, False]


async def test_a_scim_token_is_told_from_a_token_without_rights(sim, new_reader):
    refused = await failure((await new_reader(sim.token)).settings)

    assert (refused.reason, refused.status) == (Reason.TOKEN, 401)
    assert sim.token not in str(refused)


async def test_an_old_tfe_is_said_to_have_no_scim(sim, reader):
    reasons = []
    for version in ("1.2.0", "v202507-1", "2.0.0"):
        sim.site.version = version
        try:
            await reader.settings()
        except AdminFailed as refused:
            reasons.append((refused.reason, version in str(refused)))

    assert reasons == [(Reason.NO_SCIM, True)] * 2


async def test_a_team_that_is_not_there_is_missing_not_forbidden(reader):
    refused = await failure(lambda: reader.team("team-none"))

    assert refused.reason is Reason.MISSING


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(kind=FaultKind.STATUS, status=502), Reason.DOWN),
        (Fault(kind=FaultKind.STATUS, status=500, detail="oh"), Reason.DOWN),
        (Fault(kind=FaultKind.RESET_BEFORE), Reason.DOWN),
        (Fault(kind=FaultKind.CUT), Reason.DOWN),
        (Fault(kind=FaultKind.GARBAGE), Reason.DOWN),
        (Fault(kind=FaultKind.STATUS, status=302), Reason.NOT_UNDERSTOOD),
        (Fault(kind=FaultKind.STATUS, status=403, detail="no"), Reason.NOT_ALLOWED),
        (Fault(kind=FaultKind.STATUS, status=200, detail="what"), Reason.NOT_UNDERSTOOD),
    ],
)
async def test_trouble_has_a_reason_and_is_over_with_the_next_read(sim, reader, fault, reason):
    sim.faults.add(fault, Match(path="^/api/v2/"))
    refused = await failure(reader.settings)

    assert refused.reason is reason
    assert (await reader.settings()).state is SiteState.RUNNING


async def test_a_list_that_is_none_is_not_understood(sim, reader):
    sim.faults.add(Fault(kind=FaultKind.STATUS, status=200, detail="what"), Match(path="^/api/"))

    assert (await failure(reader.groups)).reason is Reason.NOT_UNDERSTOOD


async def test_nobody_listening_is_down(new_reader):
    reader = await new_reader("t", url="http://127.0.0.1:1/api/v2/")

    assert (await failure(reader.settings)).reason is Reason.DOWN


async def test_forty_five_reads_of_the_settings_never_meet_a_429(sim, new_reader):
    sim.site.budgets.change(AdminLimits())
    reader = await new_reader(budgets=Budgets())

    for _ in range(45):
        await reader.settings()

    assert {entry.status for entry in sim.log.entries()} == {200}


async def test_a_429_is_waited_for_by_what_it_says_and_then_answered(sim, new_reader):
    sim.site.budgets.change(AdminLimits(settings=2))
    reader = await new_reader()

    for _ in range(3):
        await reader.settings()

    entries = sim.log.entries()
    assert [entry.status for entry in entries] == [200, 200, 429, 200]
    assert 0.5 < entries[3].monotonic_s - entries[2].monotonic_s < 2


async def test_a_429_again_and_again_is_reported(sim, reader):
    sim.faults.add(
        Fault(kind=FaultKind.STATUS, status=429, detail="slow down"),
        Match(path="scim-settings", count=None),
    )
    sim.site.budgets.change(AdminLimits(settings=1_000))
    refused = await failure(reader.settings)

    assert (refused.reason, refused.status) == (Reason.THROTTLED, 429)
    assert len(sim.log.entries()) == 3
