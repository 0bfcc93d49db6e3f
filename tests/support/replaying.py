"""Playing a history to its end and comparing TFE with the fold of what was accepted."""

from __future__ import annotations

import tempfile
from pathlib import Path

from relay.rules.guard import OPEN_DOOR
from support.decisions import GuardedPlayer
from support.operators import OperatedPlayer
from support.poison import PoisonedPlayer
from support.world import World, run_virtually

ENDS = ("delivered", "refused", "parked", "dropped", "pending")


def play(steps, seed, guard=OPEN_DOOR, ends=("delivered",), player_type=GuardedPlayer):
    """Play a history to its end and compare TFE with the fold."""

    async def main():
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            world = World(Path(folder) / "relay.db", seed, guard)
            await world.start()
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
            await world.stop()

        assert player.held() == player.expected()
        assert counters["accepted"] == sum(counters[end] for end in ENDS)
        assert counters["accepted"] == sum(counters[end] for end in ends)

    run_virtually(main)


def play_operated(steps, seed, guard=OPEN_DOOR):
    """Play a history with an operator's orders in it, and compare TFE with what the IdP reads."""

    async def main():
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            world = World(Path(folder) / "relay.db", seed, guard)
            await world.start()
            player = OperatedPlayer(world)
            await player.play(steps)
            await player.end(seed)
            counters = await world.counters()
            await world.stop()

        assert counters["accepted"] == sum(counters[end] for end in ENDS)

    run_virtually(main)
