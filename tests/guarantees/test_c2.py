"""C2: when faults stop the queue drains, and TFE holds the fold of what was accepted."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.decisions import NARROW, approvals, decided_histories, rejections
from support.history import histories
from support.poison import PoisonedPlayer, poisoned_histories
from support.replaying import ENDS, play

from relay.rules.guard import OPEN_DOOR

COMMON = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
    "database": None,
}
SEEDS = st.integers(0, 1_000)


def histories_of(in_the_test_run, *strategies):
    """Many random histories: so many in the test run, 10,000 in `make soak`."""

    def decorated(test):
        def run(most):
            examples = 10_000 if most else in_the_test_run
            settings(max_examples=examples, **COMMON)(given(*strategies)(test))()

        run.__doc__, run.__name__ = test.__doc__, test.__name__
        soak = pytest.param(True, marks=[pytest.mark.soak, pytest.mark.timeout(7200)])
        return pytest.mark.parametrize("most", [False, soak], ids=["some", "10000"])(run)

    return decorated


@histories_of(300, histories(25), SEEDS)
def test_tfe_ends_with_the_fold_of_all_that_was_accepted_whatever_went_wrong(steps, seed):
    play(steps, seed)


@histories_of(200, decided_histories(25, approvals), SEEDS)
def test_whatever_the_guard_held_reaches_tfe_once_it_is_approved(steps, seed):
    play(steps, seed, NARROW)


@histories_of(200, decided_histories(25, st.one_of(approvals, rejections)), SEEDS)
def test_after_rejections_tfe_ends_as_the_identity_provider_reads_it(steps, seed):
    play(steps, seed, NARROW, ("delivered", "dropped", "parked"))


@histories_of(200, poisoned_histories(25), SEEDS)
def test_whatever_tfe_refuses_for_good_it_ends_as_the_identity_provider_reads_it(steps, seed):
    play(steps, seed, OPEN_DOOR, ENDS, PoisonedPlayer)


CY, ANN = ("create_user", "cy", False, None), ("create_user", "ann", False, None)
ONCE_WRONG = {
    "a deletion rejected while the creation is under way": [
        CY, ("approve",), ("delete_user", 0), ("reject",)
    ],
    "a deletion and the next creation rejected together": [
        CY, ("approve",), ("recreate_user", 0), ("reject",)
    ],
    "the next creation under another name": [
        CY, ("rename_user", 0, "ann"), ("approve",), ("recreate_user", 0), ("reject",)
    ],
    "a name that a held rename has not left yet": [
        ANN, ("pause", 20.0), ("rename_user", 0, "cy"), ANN
    ],
    "the same, its creation under way when TFE is paused": [
        ANN, ("rename_user", 0, "cy"), ("pause", 20.0), ANN
    ],
    "a deletion rejected while the creation is under way with a name that was left since": [
        ("create_user", "ann", False, None), ("rename_user", 0, "bob"),
        ("move_address", 0, "bob"), ("recreate_user", 0), ("reject",),
    ],
    "a name that a held rename left, taken, and exchanged back before anything was sent": [
        ("create_group", "bob", ()), ("put_group", 0, "ann", ()),
        ("create_group", "bob", ()), ("swap_groups", 0, 1),
    ],
    "two names exchanged, one of them by a creation that is held": [ANN, CY, ("swap_users", 0, 1)],
}  # fmt: skip
"""Found by 10,000 histories."""


@pytest.mark.parametrize("steps", ONCE_WRONG.values(), ids=ONCE_WRONG)
def test_a_decided_history_that_was_once_wrong_is_right(steps):
    play(steps, 0, NARROW, ("delivered", "dropped", "parked"))
