"""Playing a history to its end and comparing TFE with the fold of what was accepted."""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

from relay.rules.guard import OPEN_DOOR
from support.decisions import GuardedPlayer
from support.operators import OperatedPlayer
from support.poison import PoisonedPlayer
from support.unasked import watching
from support.world import World, run_virtually

ENDS = ("delivered", "refused", "parked", "dropped", "pending")


@asynccontextmanager
async def _world(seed, guard):
    """A world of its own, in memory, that runs until the history is played."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        world = World(Path(folder) / "relay.db", seed, guard)
        with watching(world.unasked):
            await world.start()
            yield world
            await world.stop()


def play(steps, seed, guard=OPEN_DOOR, ends=("delivered",), player_type=GuardedPlayer):
    """Play a history to its end and compare TFE with the fold."""

    async def main():
        async with _world(seed, guard) as world:
            player = player_type(world)
            await player.play(steps)
            if issubclass(player_type, PoisonedPlayer):
                await player.quiet()
            world.tfe.faults.clear()
            await player.everything_approved()
            await world.settled()
            counters = await world.counters()
            if "parked" in ends:
                await player.read_back()

        assert player.held() == player.expected()
        assert counters["accepted"] == sum(counters[end] for end in ENDS)
        assert counters["accepted"] == sum(counters[end] for end in ends)

    run_virtually(main)


def play_operated(steps, seed, guard=OPEN_DOOR):
    """Play a history with an operator's orders in it, and compare TFE with what the IdP reads."""

    async def main():
        async with _world(seed, guard) as world:
            player = OperatedPlayer(world)
            await player.play(steps)
            await player.end(seed)
            counters = await world.counters()

        assert counters["accepted"] == sum(counters[end] for end in ENDS)

    run_virtually(main)
