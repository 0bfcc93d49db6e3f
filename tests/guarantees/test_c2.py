"""C2: when faults stop the queue drains, and TFE holds the fold of what was accepted."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.decisions import NARROW, approvals, decided_histories, rejections
from support.history import histories
from support.operators import operated_histories
from support.poison import PoisonedPlayer, poisoned_histories
from support.replaying import ENDS, play, play_operated

from relay.rules.guard import OPEN_DOOR

COMMON = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
    "database": None,
}
SEEDS = st.integers(0, 1_000)
LEAST = 8
"""Steps of a history at least: of lists without a bound most are of five, and seldom wrong."""


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


@histories_of(300, histories(25, LEAST), SEEDS)
def test_tfe_ends_with_the_fold_of_all_that_was_accepted_whatever_went_wrong(steps, seed):
    play(steps, seed)


@histories_of(200, decided_histories(25, approvals, LEAST), SEEDS)
def test_whatever_the_guard_held_reaches_tfe_once_it_is_approved(steps, seed):
    play(steps, seed, NARROW)


@histories_of(200, decided_histories(25, st.one_of(approvals, rejections), LEAST), SEEDS)
def test_after_rejections_tfe_ends_as_the_identity_provider_reads_it(steps, seed):
    play(steps, seed, NARROW, ("delivered", "dropped", "parked"))


@histories_of(200, poisoned_histories(25, LEAST), SEEDS)
def test_whatever_tfe_refuses_for_good_it_ends_as_the_identity_provider_reads_it(steps, seed):
    play(steps, seed, OPEN_DOOR, ENDS, PoisonedPlayer)


@histories_of(40, operated_histories(40, 10), SEEDS, st.sampled_from((OPEN_DOOR, NARROW)))
def test_whatever_operators_drop_and_retry_tfe_ends_as_the_identity_provider_reads_it(
    steps, seed, guard
):
    play_operated(steps, seed, guard)


CY, ANN = ("create_user", "cy", False, None), ("create_user", "ann", False, None)
ONCE_WRONG = {
    "names swapped while a creation was in doubt": [
        ("activate", 0), ("activate", 0), ("rename_user", 0, "ann"), ("create_group", "bob", ()),
        ("create_group", "cy", ()), ("swap_groups", 0, 1), ("crash",), ("rename_group", 0, "ann"),
    ],
    "a creation whose second rename is held when another takes the name that the first one left": [
        ("activate", 0), ("create_group", "bob", ()), ("create_group", "cy", ()),
        ("swap_groups", 0, 1), ("crash",), ("rename_group", 1, "ann"),
    ],
    "a rename repeated, and held, when the user had become protected": [
        ("create_user", "bob", False, None), ("activate", 0), ("rename_user", 0, "ann"),
        ("move_address", 0, "bob"), ("rename_user", 0, "ann"),
        ("create_user", "ann", False, None), ("reject",),
    ],
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


ONCE_WRONG_BY_ORDER = {
    "a held deletion dropped whose name is created anew": (NARROW, [
        ("had", ("cy",), (("bob", ()),)), ("recreate_group", 2, (3,)), ("pass", 6.0),
        ("recreate_group", 2, (3,)), ("orders", "drop", "pending", ""),
    ]),
    "names in a ring, one of them a creation in doubt": (NARROW, [
        ("had", ("ann",), ()), ("fault", "garbage", 0, None), ("move_address", 2, "bob"),
        ("create_group", "BOB", ()), ("fault", "slow-before", 0, "PATCH"),
        ("fault", "garbage", 0, "PATCH"), ("activate", 3), ("rename_user", 2, "bob"),
        ("remove_members", 4, (0, 2, 3, 4)), ("recreate_group", 5, ()),
        ("orders", "drop", "pending", "Group"), ("recreate_user", 1), ("rename_user", 3, "Ann"),
        ("order", "drop", "pending", 2),
    ]),
    "a name given back to a creation that is under way with another": (OPEN_DOOR, [
        ("had", ("bob", "cy", "ann"), ()), ("pause", 20.0), ("recreate_user", 2),
        ("swap_users", 2, 0), ("orders", "drop", "pending", "User"),
    ]),
    "a rename dropped whose name TFE has given to its taker": (OPEN_DOOR, [
        ("had", ("bob", "cy"), ()), ("lose", "users", 3), ("create_user", "Ann", True, "e3"),
        ("swap_users", 4, 2), ("orders", "drop", "pending", ""),
    ]),
    "a deletion dropped of who is in doubt": (OPEN_DOOR, [
        ("had", ("cy", "ann", "bob"), ()), ("pause", 0.5),
        ("fault", "status-after", 502, "PATCH"), ("move_address", 2, "bob"),
        ("poison", "new.example", 413, "PATCH"), ("recreate_user", 5),
        ("orders", "drop", "pending", ""), ("recreate_user", 4), ("move_address", 1, "Ann"),
    ]),
    "a ring of names broken by a temporary one whose end is refused": (OPEN_DOOR, [
        ("had", ("cy", "ann", "bob"), (("bob", (1,)),)), ("recreate_group", 4, (4,)),
        ("swap_users", 0, 1), ("poison", "ann@x.org", 413, None),
    ]),
    "an edit above a creation that is held": (NARROW, [
        ("had", ("bob", "cy"), (("cy", (0, 5)), ("ann", ()))), ("recreate_user", 2),
        ("recreate_user", 0), ("put_user", 3, "Ann", False), ("deactivate", 4),
        ("set_external", 3, "e3"), ("recreate_group", 1, ()), ("lose", "groups", 1),
        ("order", "drop", "pending", 1), ("delete_group", 4),
    ]),
    "a held addition of who is refused for good": (NARROW, [
        ("had", ("bob",), (("ann", ()), ("cy", ()))), ("delete_group", 3),
        ("poison", "Ann", 400, "POST"), ("recreate_group", 1, (3,)), ("recreate_group", 2, (1,)),
        ("create_group", "cy", (1, 2)), ("create_user", "Ann", False, None),
        ("recreate_group", 0, (0,)), ("set_roster", 1, (5, 5)),
    ]),
    "an edit that was held above a creation that TFE refused": (NARROW, [
        ("had", ("cy", "bob", "ann"), ()), ("recreate_user", 2), ("recreate_user", 5),
        ("activate", 0), ("move_address", 2, "bob"), ("poison", "ann@x.org", 400, "POST"),
        ("pause", 0.5),
    ]),
    "a trip of which TFE lost all that was held": (NARROW, [
        ("had", ("ann", "cy", "bob"), ()), ("move_address", 2, "ann"), ("lose", "users", 2),
        ("delete_user", 0), ("crash",), ("recreate_user", 0),
        ("create_user", "ann", False, None), ("recreate_user", 0),
        ("create_user", "ann", False, None), ("prune",), ("create_user", "ann", False, None),
        ("pass", 400.0),
    ]),
}  # fmt: skip
"""Found by some thousands of histories with an operator's orders in them."""


@pytest.mark.parametrize(("guard", "steps"), ONCE_WRONG_BY_ORDER.values(), ids=ONCE_WRONG_BY_ORDER)
def test_a_history_with_orders_that_was_once_wrong_is_right(guard, steps):
    play_operated(steps, 0, guard)
