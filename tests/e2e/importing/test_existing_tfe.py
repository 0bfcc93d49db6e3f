"""A relay put in front of a TFE that holds users already: read once, resumable, inside the rate."""

import asyncio

import pytest
from support.idp import Idp, add, deactivate, patch_body
from support.relays import RelayProcess, relay_for, until, write_config

from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.faults import Fault, FaultKind, Match
from relay.simulator.seed import sow
from relay.simulator.server import simulator

FAST = {"rate": 100}


def filled(sim, users=450):
    """A TFE with users and a group of three of them; their ids."""
    made = sow(sim.directory, {"users": users})
    crew = {"displayName": "Crew", "members": made["users"][:3]}
    [group] = sow(sim.directory, {"groups": [crew]})["groups"]
    return made["users"], group


async def test_everything_is_read_in_pages_and_keeps_tfes_ids(unlimited, tmp_path):
    people, crew = filled(unlimited)
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        listed = await relay.idp.get("/Users?count=0")
        assert listed.body["totalResults"] == 450
        one = await relay.idp.get(f"/Users/{people[7]}")
        assert (one.status, one.body["id"]) == (200, people[7])
        group = await relay.idp.get(f"/Groups/{crew}")
        assert {member["value"] for member in group.body["members"]} == set(people[:3])
        writes = [one for one in unlimited.log.entries() if one.method != "GET"]
        assert writes == []


async def test_an_idp_that_holds_tfes_ids_goes_on_with_them(unlimited, tmp_path):
    people, crew = filled(unlimited)
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        await relay.idp.patch(f"/Users/{people[0]}", deactivate())
        await relay.idp.patch(f"/Groups/{crew}", add(people[9]))
        await relay.idp.delete(f"/Users/{people[1]}")
        await relay.settled()

        assert unlimited.directory.user(people[0]).fields.active is False
        assert people[9] in unlimited.directory.group(crew).fields.members
        assert people[1] not in {user.stamp.id for user in unlimited.directory.users}
        taken = await relay.idp.post("/Users", {"userName": "user00003@example.com"})
        assert taken.status == 409


async def test_an_import_that_was_killed_goes_on_where_it_stood(tmp_path):
    limit = RateLimit(rate=0)
    async with simulator(SimulatorSettings(limit=limit)) as sim:
        people, _ = filled(sim, 900)
        held = sim.faults.add(
            Fault(kind=FaultKind.SLOW_BEFORE, delay_s=None), Match(path="^/Users", skip=3)
        )
        relay = RelayProcess(write_config(sim, tmp_path))
        await relay.start()
        await sim.log.until(lambda log: pages(log) == 4)
        await relay.kill()
        held.release()
        sim.faults.clear()
        sim.log.clear()

        relay = RelayProcess(relay.config)
        await relay.start()
        async with Idp(relay.base) as idp:

            async def whole():
                reply = await idp.get("/Users?count=0")
                return reply.status == 200 and reply.body["totalResults"] == 900

            await until(whole)
            assert (await idp.get(f"/Users/{people[899]}")).status == 200
        first = next(one for one in sim.log.entries() if one.path == "/Users" and one.query)
        assert int(first.query["startIndex"]) > 1
        assert await relay.stop() == 0


def pages(log):
    return sum(one.path == "/Users" and "startIndex" in one.query for one in log.entries())


async def test_the_import_stays_inside_the_rate(tmp_path):
    async with simulator(SimulatorSettings(limit=RateLimit(rate=10))) as sim:
        filled(sim, 2200)
        async with relay_for(sim, tmp_path):
            assert sim.log.max_in_window() <= 10
            assert not [one for one in sim.log.entries() if one.status == 429]


async def test_a_list_whose_totals_moved_is_read_again(unlimited, tmp_path):
    filled(unlimited)
    held = unlimited.faults.add(
        Fault(kind=FaultKind.SLOW_BEFORE, delay_s=None), Match(path="^/Users", skip=2)
    )
    unlimited.pause()  # so that the relay starts without waiting for its import
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        unlimited.resume()
        await unlimited.log.until(lambda log: pages(log) >= 1 and held.seen >= 3)
        first = next(iter(unlimited.directory.users))
        unlimited.directory.delete_user(first.stamp.id)
        sow(unlimited.directory, {"users": [{"userName": "late@x.org", "email": "late@x.org"}]})
        sow(unlimited.directory, {"users": [{"userName": "more@x.org", "email": "more@x.org"}]})
        held.release()
        unlimited.faults.clear()
        await relay.imported()
        for user in unlimited.directory.users:
            assert (await relay.idp.get(f"/Users/{user.stamp.id}")).status == 200


async def test_before_it_is_complete_a_miss_is_asked_of_tfe(unlimited, tmp_path):
    people, crew = filled(unlimited)
    held = unlimited.faults.add(
        Fault(kind=FaultKind.SLOW_BEFORE, delay_s=None),
        Match(path="^/Users$", skip=1, count=None),
    )
    unlimited.pause()
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        unlimited.resume()
        await until(lambda: relay.parts.importer.token_accepted and held.seen >= 1)
        assert (await relay.idp.get(f"/Users/{people[440]}")).status == 200
        patched = await relay.idp.patch(f"/Users/{people[441]}", deactivate())
        assert patched.status == 200
        joined = await relay.idp.patch(f"/Groups/{crew}", add(people[442]))
        assert joined.status in (200, 204)
        assert (await relay.idp.get("/Users")).status == 503
        held.release()
        unlimited.faults.clear()
        await relay.imported()
        await relay.settled()
        assert people[442] in unlimited.directory.group(crew).fields.members


async def test_nothing_is_not_found_while_tfe_cannot_be_asked(tmp_path):
    async with simulator(SimulatorSettings(limit=RateLimit(rate=0))) as sim:
        people, _ = filled(sim)
        sim.pause()
        async with relay_for(sim, tmp_path, target=FAST) as relay:
            for path in (f"/Users/{people[0]}", "/Users", '/Users?filter=userName eq "nobody"'):
                reply = await relay.idp.get(path.replace(" ", "%20").replace('"', "%22"))
                assert (reply.status, "Retry-After" in reply.headers) == (503, True), path


async def test_until_the_token_was_accepted_once_provisioning_is_503_with_the_reason(tmp_path):
    async with simulator(SimulatorSettings(limit=RateLimit(rate=0))) as sim:
        config = write_config(sim, tmp_path)
        (tmp_path / "tfe-token").write_text("not-the-token")
        relay = RelayProcess(config)
        await relay.start()
        async with Idp(relay.base) as idp:
            for method, path, body in (
                ("GET", "/Users", None),
                ("POST", "/Users", {"userName": "ada@example.com"}),
                ("PATCH", "/Users/x", patch_body({"op": "replace", "value": {"active": False}})),
            ):
                reply = await idp.call(method, path, body)
                assert reply.status == 503, (method, reply)
                assert "token" in reply.body["detail"]
            (tmp_path / "tfe-token").write_text(sim.token)

            async def good():
                return (await idp.get("/Users")).status == 200

            async with asyncio.timeout(60):
                await until(good, 60)
        assert await relay.stop() == 0


@pytest.mark.parametrize("fault", ["reset-before", "cut", "garbage"])
async def test_a_page_that_came_broken_is_asked_again(unlimited, tmp_path, fault):
    filled(unlimited)
    unlimited.faults.add(Fault(kind=FaultKind(fault)), Match(path="^/Users", skip=1))
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        assert (await relay.idp.get("/Users?count=0")).body["totalResults"] == 450
