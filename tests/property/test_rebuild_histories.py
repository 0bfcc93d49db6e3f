"""Random histories around a TFE that is lost: whatever was written when, TFE ends as the fold says."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.history import Player, faults, time, writes
from support.world import World, run_virtually

from relay.store.state.holds import HoldName

BUSY = st.lists(st.one_of(writes, writes, writes, time), max_size=14)
UNEASY = st.lists(st.one_of(writes, writes, faults, time), max_size=14)
LOSSES = st.sampled_from(("wiped", "moved", "partly", "kept"))
KILLS = st.lists(st.sampled_from((0.0, 0.011, 0.021, 0.3)), max_size=2)


def lose(directory, how):
    """What became of TFE: empty, the same under other ids, part of that, or nothing happened."""
    if how == "kept":
        return
    users, groups = list(directory.users), list(directory.groups)
    directory.wipe()
    if how == "wiped":
        return
    ids = {
        one.stamp.id: directory.create_user(one.fields).stamp.id
        for number, one in enumerate(users)
        if how == "moved" or number % 3
    }
    for number, one in enumerate(groups):
        if how == "moved" or number % 2:
            members = {ids[member]: None for member in one.fields.members if member in ids}
            directory.create_group(replace(one.fields, members=members))


async def nothing_under_way(world):
    """No request may still be answered by the TFE that is lost."""
    async with asyncio.timeout(3_600):
        while await world.store.run(
            lambda tx: tx.one("SELECT 1 FROM attempt WHERE verdict IS NULL")
        ):
            await world.pass_time(0.1)


async def play(before, held, after, how, kills, folder):
    world = World(folder / "w.db")
    await world.start()
    player = Player(world)
    await player.play(before)
    await world.holds.raise_hold(HoldName.FOREIGN, "test")
    await nothing_under_way(world)
    world.tfe.faults.clear()
    await world.target.drain()
    lose(world.tfe.directory, how)
    await player.play(held)
    await world.rebuilder.order("test")
    for moment in kills:
        await world.pass_time(moment)
        await player.crash()
    await player.play(after)
    await world.settled()
    assert player.held() == player.expected()
    await world.stop()


COMMON = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}


def check(before, held, after, how, kills):
    with tempfile.TemporaryDirectory() as folder:
        run_virtually(lambda: play(before, held, after, how, kills, Path(folder)))


@settings(max_examples=25, **COMMON)
@given(BUSY, BUSY, BUSY, LOSSES, KILLS)
def test_a_history_with_a_rebuild_in_it_ends_in_the_fold(before, held, after, how, kills):
    check(before, held, after, how, kills)


@pytest.mark.soak
@pytest.mark.timeout(900)
@settings(max_examples=1_500, **COMMON)
@given(UNEASY, BUSY, UNEASY, LOSSES, KILLS)
def test_many_histories_with_a_rebuild_in_them_end_in_the_fold(before, held, after, how, kills):
    check(before, held, after, how, kills)
