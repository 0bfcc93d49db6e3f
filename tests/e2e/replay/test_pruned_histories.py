"""History that goes as soon as it may is missed by nobody: TFE ends with the same fold (A4)."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.decisions import NARROW, GuardedPlayer, approvals, decided_histories
from support.poison import PoisonedPlayer, poisoned_histories
from support.replaying import ENDS, play

from relay.rules.guard import OPEN_DOOR
from relay.store.operate.pruning import Cursor, prune


class Forgetful:
    """After each step all history goes that may go at all, however young."""

    pruned = 0

    async def after_step(self) -> None:
        def forget(tx):
            at, done, gone = Cursor(), False, 0
            while not done:
                batch = prune(tx, tx.now + 1.0, at)
                at, done, gone = batch.at, batch.done, gone + batch.changes + batch.attempts
            return gone

        Forgetful.pruned += await self.world.store.run(forget)


class ForgetfulPlayer(Forgetful, GuardedPlayer):
    pass


class ForgetfulPoisonedPlayer(Forgetful, PoisonedPlayer):
    pass


FEW = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@FEW
@given(decided_histories(25, approvals), st.integers(0, 1_000))
def test_nothing_that_goes_is_missed_by_what_waits_or_is_held(steps, seed):
    play(steps, seed, NARROW, player_type=ForgetfulPlayer)


@FEW
@given(poisoned_histories(25), st.integers(0, 1_000))
def test_nothing_that_goes_is_missed_by_what_is_parked_retried_or_dropped(steps, seed):
    play(steps, seed, OPEN_DOOR, ENDS, ForgetfulPoisonedPlayer)


def test_history_does_go_in_these_histories():
    before = Forgetful.pruned
    steps = [("create_user", "ann@x.org", True, None), ("pass", 60.0), ("delete_user", 0)]
    play([*steps, ("pass", 60.0)], 1, player_type=ForgetfulPlayer)

    assert Forgetful.pruned - before == 4
