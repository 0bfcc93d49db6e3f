"""Hold `foreign`: a TFE that was wiped or swapped is told from one that lost a resource (K5)."""

import pytest
from support.idp import add, deactivate, user
from support.relays import relay_for, typed
from support.world import World, run_virtually

from relay.rules import dialect
from relay.rules.types import Kind

FAST = {"rate": 100}


@pytest.fixture
async def relay(tfe, tmp_path):
    async with relay_for(tfe, tmp_path, target=FAST, answer={"wait": "0s"}) as relay:
        yield relay


async def populated(relay):
    """Three users and a group of two of them, in TFE; their ids."""
    users = [await relay.idp.create_user(f"user{number}@example.com") for number in range(3)]
    crew = await relay.idp.create_group("Crew", *users[:2])
    await relay.settled()
    return users, crew


async def unharmed(relay, pending):
    """Nothing was parked, and what waits is all there."""
    counters = await relay.counters()
    assert (counters["parked"], counters["pending"]) == (0, pending)


async def test_every_kind_of_edit_on_a_wiped_tfe_waits_and_nothing_is_unlearnt(tfe, relay):
    users, crew = await populated(relay)
    before = [await relay.target_id(one) for one in (*users, crew)]
    tfe.wipe()
    await relay.idp.patch(f"/Users/{users[0]}", deactivate())
    await relay.held("foreign")
    since = len(tfe.log)
    await relay.idp.patch(f"/Groups/{crew}", add(users[2]))
    await relay.idp.delete(f"/Users/{users[1]}")
    await relay.idp.create_user("new@example.com")

    await unharmed(relay, pending=4)
    assert tfe.arrived(since) == []
    assert tfe.names() == []
    assert [await relay.target_id(one) for one in (*users, crew)] == before
    roster = (await relay.idp.get(f"/Groups/{crew}")).body["members"]
    assert {member["value"] for member in roster} == {users[0], users[2]}


async def test_a_deletion_that_a_wiped_tfe_answers_404_is_not_called_done(tfe, relay):
    users, _ = await populated(relay)
    tfe.wipe()
    await relay.idp.delete(f"/Users/{users[0]}")
    await relay.held("foreign")

    await unharmed(relay, pending=1)


async def test_a_new_group_with_members_that_a_wiped_tfe_does_not_know_is_not_parked(tfe, relay):
    users, _ = await populated(relay)
    tfe.wipe()
    await relay.idp.create_group("New", *users)
    await relay.held("foreign")

    await unharmed(relay, pending=1)


async def test_a_wipe_found_by_a_pauses_end_stops_everything_before_a_write(tfe, relay):
    users, _ = await populated(relay)
    tfe.pause()
    await relay.idp.patch(f"/Users/{users[0]}", deactivate())
    await relay.held("paused")
    tfe.wipe()
    since = len(tfe.log)
    tfe.resume()
    await relay.held("foreign")
    await relay.lifted("paused")

    assert tfe.writes(since) == []
    await unharmed(relay, pending=1)


async def test_groups_alone_tell_a_wiped_tfe_too(tfe, relay):
    crews = [await relay.idp.create_group(f"Crew {number}") for number in range(3)]
    await relay.settled()
    tfe.wipe()
    body = {"op": "replace", "value": {"displayName": "Renamed"}}
    await relay.idp.patch(f"/Groups/{crews[0]}", body)
    await relay.held("foreign")

    await unharmed(relay, pending=1)
    assert len(tfe.directory.groups) == 0


async def test_a_tfe_restored_with_its_ids_goes_on_where_it_was_after_resume(tfe, relay, tmp_path):
    users, _ = await populated(relay)
    kept = tfe.directory
    tfe.directory = type(kept)(tfe.clock, kept._ids, tfe.settings.behaviour)
    await relay.idp.patch(f"/Users/{users[0]}", deactivate())
    await relay.held("foreign")

    tfe.directory = kept
    code, _ = await typed(tmp_path, "resume", "--hold", "foreign", "--reason", "restored")
    assert code == 0
    await relay.settled()
    [found] = tfe.directory.users.named("user0@example.com")
    assert found.fields.active is False


async def test_losing_two_of_many_is_no_other_tfe(tfe, relay):
    users = [await relay.idp.create_user(f"user{number}@example.com") for number in range(8)]
    await relay.settled()
    for lost in users[3:5]:
        tfe.directory.delete_user(await relay.target_id(lost))
        await relay.idp.patch(f"/Users/{lost}", deactivate())
    await relay.settled()

    assert len(tfe.names()) == 8
    assert relay.parts.keeper.holds.standing == ()


def test_a_wipe_is_noticed_while_nothing_but_creations_is_sent(tmp_path):
    async def main():
        world = World(tmp_path / "relay.db")
        await world.start()
        for number in range(5):
            await create(world, f"old{number}@example.com")
        await world.settled()
        await world.pass_time(3_600)
        world.tfe.wipe()
        await create(world, "first@example.com")
        await world.pass_time(2)
        for number in range(20):
            await create(world, f"new{number}@example.com")
        await world.pass_time(10)

        assert [hold.name.value for hold in world.holds.standing] == ["foreign"]
        assert [one.fields.user_name for one in world.tfe.directory.users] == ["first@example.com"]
        assert (await world.counters())["pending"] == 20
        await world.stop()

    run_virtually(main)


async def create(world, name):
    write = dialect.parse_create(Kind.USER, user(name))
    await world.store.directory.accept("idp", write, None)


def test_asking_who_tfe_is_costs_creations_two_or_three_requests_a_minute(tmp_path):
    async def main():
        world = World(tmp_path / "relay.db")
        await world.start()
        await create(world, "old@example.com")
        await world.settled()
        await world.pass_time(3_600)
        since = len(world.tfe.log)
        for number in range(600):
            await create(world, f"new{number}@example.com")
            await world.pass_time(1)
        asked = [e for e in world.tfe.log.entries(after=since) if e.method == "GET"]

        assert 10 <= len(asked) <= 40
        await world.stop()

    run_virtually(main)
