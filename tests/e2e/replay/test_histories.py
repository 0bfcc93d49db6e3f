"""Random histories with random trouble: in the end TFE holds the fold of what was accepted."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.history import Player, histories
from support.world import World, run_virtually


def play(steps, seed):
    """Play a history to its end and compare TFE with the fold."""

    async def main():
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            world = World(Path(folder) / "relay.db", seed)
            await world.start()
            player = Player(world)
            await player.play(steps)
            world.tfe.faults.clear()
            await world.settled()
            counters = await world.counters()
            await world.stop()

        assert player.held() == player.expected()
        ends = ("delivered", "refused", "parked", "dropped", "pending")
        assert counters["accepted"] == sum(counters[end] for end in ends)
        assert counters["accepted"] == counters["delivered"]

    run_virtually(main)


@settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(histories(25), st.integers(0, 1_000))
def test_tfe_ends_with_the_fold_of_all_that_was_accepted_whatever_went_wrong(steps, seed):
    play(steps, seed)
