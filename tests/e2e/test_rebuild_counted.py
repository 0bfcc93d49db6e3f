"""A rebuild in virtual time: TFE ends as the identity provider left it, and in how many requests.

The floor is one write for each user and group in which TFE differs from what is wanted: no relay
can bring them about in fewer. What is read on the way is counted with it.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest
from support.history import Player
from support.world import World, run_virtually

from relay.rules.types import Kind
from relay.simulator.records import UserFields
from relay.store.state.holds import HoldName

SMALL, FULL = (120, 8, 60), (5_000, 100, 2_000)
SIZES = [SMALL, pytest.param(FULL, marks=[pytest.mark.soak, pytest.mark.timeout(1_200)])]


async def populated(player, users, groups):
    """Users, groups, and rosters in which everybody is about four times."""
    size = max(1, users * 4 // groups)
    for number in range(users):
        await player.create_user(f"u{number}", True, f"e{number}")
    for number in range(groups):
        await player.create_group(f"g{number}", tuple(range(number, number + size)))
    await player.world.settled()


async def backlog(player, rng, size):
    """What an identity provider writes in a bad hour: of everything something."""
    kinds = (
        lambda which: player.create_user(f"late{which}", True, f"l{which}"),
        player.deactivate,
        player.delete_user,
        lambda which: player.rename_user(which, f"renamed{which}"),
        lambda which: player.move_address(which, f"moved{which}"),
        lambda which: player.add_members(which, (rng.randrange(10_000),)),
        lambda which: player.remove_members(which, (rng.randrange(10_000),)),
        lambda which: player.rename_group(which, f"new{which}"),
    )
    for _ in range(size):
        await rng.choice(kinds)(rng.randrange(10_000))


async def found_foreign(player):
    """One write finds out that TFE is not the one it was."""
    await player.deactivate(0)
    async with asyncio.timeout(60):
        while not player.world.holds.blocked:
            await player.pass_(0.1)
    assert [hold.name.value for hold in player.world.holds.standing] == ["foreign"]


def things(state):
    """Users and groups of a fold, or of TFE, by name."""
    users = {("user", one[0].casefold()): one for one in state["users"]}
    return users | {("group", one[0].casefold()): one for one in state["groups"]}


def floor(player):
    """How many users and groups differ between TFE and what is wanted; renames count once."""
    there, wanted = things(player.held()), things(player.expected())
    return sum(wanted.get(name) != there.get(name) for name in wanted)


async def every_id_works(player, rng):
    """The ids that the identity provider was given still name the same users and groups."""
    directory = player.world.store.directory
    for entry in (*player.users, *player.groups):
        kind = Kind.USER if "@" in entry.name else Kind.GROUP
        found = await directory.get(kind, entry.id, members=False)
        assert found is not None, entry
    for _ in range(10):
        await player.deactivate(rng.randrange(10_000))
        await player.remove_members(rng.randrange(10_000), (rng.randrange(10_000),))
    await player.world.settled()
    assert player.held() == player.expected()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_wiped_tfe_is_rebuilt_within_the_floor(size, tmp_path):
    users, groups, pending = size

    async def play():
        rng = random.Random(1)
        world = World(tmp_path / "w.db", concurrency=8)
        await world.start()
        player = Player(world)
        await populated(player, users, groups)
        world.tfe.wipe()
        await found_foreign(player)
        await backlog(player, rng, pending)
        least, sent = floor(player), world.target.sent
        began = asyncio.get_running_loop().time()
        await world.rebuilder.order("test")
        await world.settled()
        took = asyncio.get_running_loop().time() - began
        requests = world.target.sent - sent
        print(
            f"\n{users} users, {groups} groups, {pending} pending: {requests} requests,"
            f" floor {least}, {requests / least:.4f} of it, {took:.0f} s at 100 a second"
        )
        assert player.held() == player.expected()
        assert (await world.counters())["parked"] == 0
        # Two pages are read, users and groups, and the database proves itself once a minute.
        assert requests <= max(1.02 * least, least + 4 + took / 20)
        await every_id_works(player, rng)
        await world.stop()

    run_virtually(play)


def moved(world):
    """TFE is another one: most is there under ids of its own, some differs, some is not there."""
    directory = world.tfe.directory
    users, groups = list(directory.users), list(directory.groups)
    directory.wipe()
    ids = {}
    for number, one in enumerate(users):
        if number % 10 == 3:
            continue
        fields = replace(one.fields, active=False) if number % 10 == 5 else one.fields
        ids[one.stamp.id] = directory.create_user(fields).stamp.id
    for number, one in enumerate(groups):
        if number % 10 == 3:
            continue
        members = {ids[member]: None for member in one.fields.members if member in ids}
        directory.create_group(replace(one.fields, members=members))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_tfe_that_holds_most_of_it_is_adopted_and_only_the_rest_is_sent(size, tmp_path):
    users, groups, pending = size

    async def play():
        rng = random.Random(2)
        world = World(tmp_path / "w.db", concurrency=8)
        await world.start()
        player = Player(world)
        await populated(player, users, groups)
        moved(world)
        await found_foreign(player)
        await backlog(player, rng, pending)
        world.tfe.log.clear()
        await world.rebuilder.order("test")
        await world.settled()
        assert player.held() == player.expected()
        entries = world.tfe.log.entries()
        posts = [one for one in entries if one.method == "POST"]
        at = await world.rebuilder.state()
        print(f"\n{len(entries)} requests, {len(posts)} POSTs; {at}")
        assert not [one.status for one in posts if one.status != 201]
        assert at.adopted >= 0.85 * (users + groups)
        await every_id_works(player, rng)
        await world.stop()

    run_virtually(play)


@pytest.mark.parametrize("moment_s", [0.0, 0.011, 0.021, 0.5, 1.3])
def test_a_rebuild_that_is_killed_goes_on_by_itself(moment_s, tmp_path):
    async def play():
        rng = random.Random(3)
        world = World(tmp_path / "w.db")
        await world.start()
        player = Player(world)
        await populated(player, 60, 5)
        moved(world)
        await found_foreign(player)
        await backlog(player, rng, 40)
        await world.rebuilder.order("test")
        for _ in range(3):
            await world.pass_time(moment_s)
            await player.crash()
        await world.settled()
        assert player.held() == player.expected()
        assert (await world.counters())["parked"] == 0
        await every_id_works(player, rng)
        await world.stop()

    run_virtually(play)


def desired(tx):
    """Users and groups as the identity provider would read them, in the form of a fold."""
    users = tx.all(
        "SELECT name, external_id, active, email FROM resource"
        " WHERE kind = 'User' AND state = 'live' ORDER BY 1, 2, 3, 4"
    )
    groups = tx.all("SELECT id, name FROM resource WHERE kind = 'Group' AND state = 'live'")
    rosters = [
        (
            name,
            sorted(
                member
                for (member,) in tx.all(
                    "SELECT u.name FROM member m JOIN resource u ON u.id = m.user_id"
                    " WHERE m.group_id = ? AND m.desired = 1",
                    (row,),
                )
            ),
        )
        for row, name in groups
    ]
    return {"users": sorted((*one[:2], bool(one[2]), one[3]) for one in users), "groups": rosters}


@pytest.mark.parametrize("killed", [False, True])
def test_the_reverse_makes_the_directory_what_tfe_has_and_sends_nothing(killed, tmp_path):
    async def play():
        world = World(tmp_path / "w.db")
        await world.start()
        player = Player(world)
        await populated(player, 60, 5)
        moved(world)
        world.tfe.directory.create_user(UserFields("stranger@x.org", "stranger@x.org"))
        await world.holds.raise_hold(HoldName.OPERATOR, "test")
        world.tfe.log.clear()
        await world.rebuilder.order("test", rebind=True)
        if killed:
            await world.pass_time(0.011)
            await player.crash()
        async with asyncio.timeout(600):
            while not (await world.rebuilder.state()).done:
                await world.pass_time(0.1)
        await world.pass_time(1)
        await world.holds.lift(HoldName.OPERATOR)
        await world.settled()
        assert {one.method for one in world.tfe.log.entries()} == {"GET"}
        held = player.held()
        found = await world.store.run(desired)
        assert found["users"] == held["users"]
        assert sorted(found["groups"]) == held["groups"]
        await world.stop()

    run_virtually(play)
