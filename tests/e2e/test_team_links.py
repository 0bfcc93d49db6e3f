"""Declared team links: planned, made within ten a minute, and gone on with after an interruption."""

from __future__ import annotations

import asyncio
import json

import pytest
from support.admin_api import MemoryAdmin
from support.relays import relay_for, typed, until
from support.world import World, run_virtually

from relay.clock import RandomIds
from relay.simulator.admin import orders
from relay.simulator.admin.budgets import AdminLimits
from relay.simulator.admin.routes import ROOT
from relay.simulator.behaviour import Behaviour, RateLimit, SimulatorSettings
from relay.simulator.faults import Fault, FaultKind, Match
from relay.simulator.seed import sow
from relay.simulator.server import simulator
from relay.site.linking import Linking
from relay.site.links import Standing, Wanted
from relay.target.admin import AdminReader, AdminWriter, Budgets

MAPPING = "scim-group-mapping"


class Site:
    """TFE with teams and groups of the same numbers, and what links them, in virtual time."""

    def __init__(self, world, count):
        self.world = world
        self.tfe = world.tfe
        orders.organizations(self.tfe, {"name": "acme"})
        self.teams = [
            orders.teams(self.tfe, {"organization": "acme", "name": f"team{number}"})["id"]
            for number in range(count)
        ]
        sow(self.tfe.directory, {"groups": [{"displayName": f"g{n}"} for n in range(count)]})
        self.wanted = [Wanted(f"g{number}", team) for number, team in enumerate(self.teams)]

    def linking(self, wanted=None):
        """What a relay makes links with; its budgets are new, as after a start."""
        reader = AdminReader(MemoryAdmin(self.tfe), Budgets(), RandomIds())
        writer = AdminWriter(reader.channel)
        return Linking(reader, writer, self.world.store, wanted or self.wanted)

    def linked(self):
        return {
            team.id: self.tfe.site.links.group_name(team)
            for team in self.tfe.site.estate.teams()
            if team.link is not None
        }

    def changes(self):
        """When each request to link or unlink arrived, and what came of it."""
        return [
            (one.monotonic_s, one.status)
            for one in self.tfe.log.entries()
            if one.path.startswith(ROOT) and one.path.endswith(MAPPING)
        ]


def in_a_site(count, play, folder):
    async def main():
        world = World(folder / "w.db")
        await world.start()
        await play(Site(world, count))
        await world.stop()

    run_virtually(main)


async def carried_out(site, linking, within_s=3_600):
    async with asyncio.timeout(within_s), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(linking.run())
        while await linking.ordered() is not None:
            await site.world.pass_time(1)
        running.cancel()


async def standings(linking):
    return {item.team: item for item in await linking.plan()}


def test_forty_links_are_made_ten_a_minute_interrupted_and_continued(tmp_path):
    async def play(site):
        first = site.linking()
        await first.order("test", unlink=False)
        running = asyncio.create_task(first.run())
        while len(site.linked()) < 15:
            await site.world.pass_time(0.1)
        running.cancel()  # the process dies; the next one knows only that it was ordered
        await carried_out(site, site.linking())

        assert site.linked() == {one.team: one.group for one in site.wanted}
        arrivals = [at for at, _ in site.changes()]
        most = max(sum(1 for at in arrivals if begin <= at < begin + 60) for begin in arrivals)
        assert (len(arrivals), most) == (40, 10)
        assert {status for _, status in site.changes()} == {204}

    in_a_site(40, play, tmp_path)


def test_a_group_that_is_not_there_yet_is_waited_for(tmp_path):
    async def play(site):
        wanted = [*site.wanted, Wanted("late", site.teams[0])][1:]
        linking = site.linking(wanted)
        assert (await standings(linking))[site.teams[0]].standing is Standing.NO_GROUP
        await linking.order("test", unlink=False)
        running = asyncio.create_task(linking.run())
        await asyncio.sleep(300)
        assert await linking.ordered() is not None
        sow(site.tfe.directory, {"groups": [{"displayName": "Late"}]})
        await asyncio.sleep(300)
        assert await linking.ordered() is None
        running.cancel()
        assert site.linked()[site.teams[0]] == "Late"

    in_a_site(3, play, tmp_path)


def test_nothing_is_unlinked_unless_it_is_asked_for(tmp_path):
    async def play(site):
        mine, other, stray = site.teams
        orders.links(site.tfe, {"team": other, "group": "g0"})
        orders.links(site.tfe, {"team": stray, "group": "g2"})
        linking = site.linking([Wanted("g0", mine), Wanted("G1", "acme/team1")])
        seen = await standings(linking)
        assert seen[mine].standing is Standing.TO_LINK
        assert seen["acme/team1"].standing is Standing.OTHER
        assert seen["acme/team2"].standing is Standing.UNDECLARED

        await linking.order("test", unlink=False)
        await carried_out(site, linking)
        assert site.linked() == {mine: "g0", other: "g0", stray: "g2"}

        await linking.order("test", unlink=True)
        await carried_out(site, linking)
        assert site.linked() == {mine: "g0", other: "g1"}

    in_a_site(3, play, tmp_path)


def test_each_refusal_is_explained_and_the_others_are_made(tmp_path):
    async def play(site):
        tfe = site.tfe
        owners = next(team.id for team in tfe.site.estate.teams() if team.is_owners)
        orders.site_admin_group(tfe, {"group": "g1"})
        people = sow(tfe.directory, {"users": 5})["users"]
        sow(tfe.directory, {"groups": [{"displayName": "big", "members": people}]})
        tfe.behave(Behaviour(member_limit=4))
        wanted = [
            Wanted("g0", owners),
            Wanted("g1", site.teams[1]),
            Wanted("big", site.teams[2]),
            Wanted("g3", site.teams[3]),
            Wanted("g3", "acme/nobody"),
        ]
        linking = site.linking(wanted)
        await linking.order("test", unlink=False)
        await carried_out(site, linking)

        seen = await standings(linking)
        assert site.linked() == {site.teams[3]: "g3"}
        for team in (owners, site.teams[1]):
            assert seen[team].standing is Standing.FAILED
            assert "owners team nor the site-admin group" in seen[team].detail
        assert "1,000 members" in seen[site.teams[2]].detail
        assert seen["acme/nobody"].standing is Standing.NO_TEAM

    in_a_site(4, play, tmp_path)


@pytest.mark.parametrize(("count", "made"), [(2, True), (None, False)])
def test_a_link_that_was_rolled_back_is_tried_again_a_few_times(count, made, tmp_path):
    async def play(site):
        linking = site.linking()
        fault = Fault(kind=FaultKind.STATUS, status=500, detail="rolled back")
        site.tfe.faults.add(fault, Match(method="POST", path=MAPPING, count=count))
        await linking.order("test", unlink=False)
        await carried_out(site, linking)

        assert (len(site.linked()) == 1) is made
        assert len(site.changes()) == 3
        if not made:
            assert "rolled back whole" in (await standings(linking))[site.teams[0]].detail

    in_a_site(1, play, tmp_path)


@pytest.fixture
async def tfe():
    settings = SimulatorSettings(
        limit=RateLimit(rate=0), admin_limits=AdminLimits(api=0, settings=0, links=0)
    )
    async with simulator(settings) as sim:
        yield sim


async def test_the_plan_is_shown_and_nothing_is_done_without_yes(tfe, tmp_path, monkeypatch):
    orders.organizations(tfe, {"name": "acme"})
    orders.teams(tfe, {"organization": "acme", "name": "devs"})
    wanted = json.dumps([{"group": "Crew", "teams": ["acme/devs"]}])
    monkeypatch.setenv("SCIM_RELAY_LINKS", wanted)
    path = tmp_path / "admin-token"
    path.write_text(tfe.site.people.issue())
    keys = {"url": tfe.admin_url, "token_file": str(path)}
    sections = {"target": {"rate": 100}, "answer": {"wait": "0s"}, "admin_api": keys}
    async with relay_for(tfe, tmp_path, **sections) as relay:
        await relay.idp.create_group("Crew")
        await relay.settled()
        code, shown = await typed(tmp_path, "links", "apply")
        assert (code, "to link" in shown, "ordered: -" in shown) == (0, True, True), shown
        code, shown = await typed(tmp_path, "links", "apply", "--yes", "--reason", "new team")
        assert (code, "new team" in shown) == (0, True)
        code, shown = await typed(tmp_path, "links", "status", "--json")
        assert "new team" in json.loads(shown)["ordered"]


async def test_a_rebuild_orders_the_declared_links_again(tfe, tmp_path, monkeypatch):
    monkeypatch.setenv("SCIM_RELAY_LINKS", '[{"group": "Crew", "teams": ["acme/devs"]}]')
    path = tmp_path / "admin-token"
    path.write_text(tfe.site.people.issue())
    keys = {"url": tfe.admin_url, "token_file": str(path)}
    sections = {"target": {"rate": 100}, "answer": {"wait": "0s"}, "admin_api": keys}
    async with relay_for(tfe, tmp_path, **sections) as relay:
        people = [await relay.idp.create_user(f"user{n}@x.org") for n in range(4)]
        await relay.settled()
        linking = relay.parts.site.linking
        assert await linking.ordered() is None
        tfe.wipe()
        await relay.idp.delete(f"/Users/{people[0]}")
        await relay.held("foreign")
        code, shown = await typed(tmp_path, "rebuild", "--reason", "wiped")
        assert code == 0, shown

        async def ordered():
            return await linking.ordered() is not None

        await until(ordered)
