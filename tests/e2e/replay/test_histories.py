"""Random histories with random trouble: in the end TFE holds the fold of what was accepted."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.decisions import NARROW, GuardedPlayer, approvals, decided_histories, rejections
from support.history import histories
from support.poison import PoisonedPlayer, poisoned_histories
from support.world import World, run_virtually

from relay.rules.guard import OPEN_DOOR

ENDS = ("delivered", "refused", "parked", "dropped", "pending")


def play(steps, seed, guard=OPEN_DOOR, ends=("delivered",), player_type=GuardedPlayer):
    """Play a history to its end and compare TFE with the fold."""

    async def main():
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            world = World(Path(folder) / "relay.db", seed, guard)
            await world.start()
            player = player_type(world)
            await player.play(steps)
            if player_type is PoisonedPlayer:
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


@settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(histories(25), st.integers(0, 1_000))
def test_tfe_ends_with_the_fold_of_all_that_was_accepted_whatever_went_wrong(steps, seed):
    play(steps, seed)


@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(decided_histories(25, approvals), st.integers(0, 1_000))
def test_whatever_the_guard_held_reaches_tfe_once_it_is_approved(steps, seed):
    play(steps, seed, NARROW)


@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(decided_histories(25, st.one_of(approvals, rejections)), st.integers(0, 1_000))
def test_after_rejections_tfe_ends_as_the_identity_provider_reads_it(steps, seed):
    play(steps, seed, NARROW, ("delivered", "dropped", "parked"))


@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(poisoned_histories(25), st.integers(0, 1_000))
def test_whatever_tfe_refuses_for_good_it_ends_as_the_identity_provider_reads_it(steps, seed):
    play(steps, seed, OPEN_DOOR, ENDS, PoisonedPlayer)
