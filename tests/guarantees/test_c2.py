"""C2: when faults stop the queue drains, and TFE holds the fold of what was accepted."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.decisions import NARROW, approvals, decided_histories, rejections
from support.history import histories
from support.poison import PoisonedPlayer, poisoned_histories
from support.replaying import ENDS, play

from relay.rules.guard import OPEN_DOOR


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
