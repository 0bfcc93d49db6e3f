"""Every form on record has a test that names it: `idp-dialects.md` sections 3 and 4.

Forms U1 to U25 and G1 to G26 are named by the ids of parametrised tests; a row of section 4, which
has no number, by the tests in this table. A test that is renamed or deleted fails here.
"""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLACES = (
    "tests/unit/rules",
    "tests/front",
    "tests/store",
    "tests/e2e/replay",
    "tests/settings",
    "tests/guarantees",
)

FORMS = [f"U{number}" for number in range(1, 26)] + [f"G{number}" for number in range(1, 26)]
BY_NAME = {"G26": ("test_nested_groups.py::test_without_flatten_a_nested_group_is_left_out",)}

_EQ = "test_filters.py::test_an_indexed_equality_is_recognised_however_it_is_written"
_READS = "test_front_reads.py::"
_BODIES = "test_bodies.py::"
ELSEWHERE = {
    "user look-up, any case of operator": (f'{_EQ}[username Eq "a"',),
    "user look-up, unquoted, two blanks": (f"{_EQ}[userName  eq   a@x.example",),
    "externalId eq": (f"{_EQ}[externalId eq alice",),
    "addresses": (
        f'{_EQ}[emails[type eq "work"].value eq',
        f'{_EQ}[emails eq "a@x"',
        f'{_EQ}[emails.value EQ "a@x"',
        f"{_READS}test_a_filter_that_cannot_be_read_is_400",
    ),
    "id eq a and manager eq b": (
        'test_filters.py::test_a_filter_that_does_not_hold[manager eq "M1"]',
        'test_filters.py::test_a_filter_that_holds[id eq "u1" and manager eq "m1"]',
        "test_filters.py::test_a_conjunction_is_narrowed_by_an_index_but_not_answered_by_it",
    ),
    "group look-up": (
        "test_filters.py::test_a_group_is_looked_up_by_its_name",
        f"{_READS}test_a_roster_is_read_only_to_be_shown[?excludedAttributes=members",
    ),
    "pages": ("test_front_queries.py::test_paging_survives_whatever_senders_write",),
    "query junk": (
        "test_front_queries.py::test_paging_survives_whatever_senders_write[aadOptscim062020",
        "test_front_queries.py::test_an_empty_filter_is_none",
    ),
    "POST user without address": (
        f"{_BODIES}test_a_new_user_without_address_takes_a_user_name_that_is_one",
        f"{_BODIES}test_a_new_user_without_any_address_is_refused",
        f"{_BODIES}test_an_empty_list_of_addresses_is_read_back_where_none_is_known",
    ),
    "PUT user without address": (
        f"{_BODIES}test_a_partial_put_keeps_what_tfe_keeps_and_nothing_else",
    ),
    "PUT with echo of a GET": (
        f"{_BODIES}test_a_put_that_echoes_what_was_read_writes_none_of_it_that_is_read_only",
    ),
    "PUT group without members": (f"{_BODIES}test_a_put_without_members_leaves_the_roster",),
    "POST group": (
        f"{_BODIES}test_members_of_a_body_are_the_whole_roster",
        f"{_BODIES}test_a_create_in_odd_spelling_is_kept_in_the_right_one",
    ),
    "old schema URNs": ("test_names.py::test_urns_are_told_apart",),
    "booleans": (f"{_BODIES}test_tfe_keeps_one_address[the primary one, as text]",),
    "DELETE twice": ("test_front_writes.py::test_a_deletion_is_204_without_a_body_then_404",),
    "error body": ("test_view.py::test_an_error_has_its_status_as_text",),
    "token without Bearer": ("test_s2.py::test_a_bare_token_is_let_in",),
}


@cache
def ids() -> tuple[str, ...]:
    """The ids of all tests in the places that prove forms."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:xdist", "-m", "",
         "-p", "no:randomly", "-p", "no:cacheprovider", *PLACES],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return tuple(line for line in done.stdout.splitlines() if "::" in line)


def named(form: str) -> list[str]:
    """The tests whose parameters say that they prove a form."""
    return [one for one in ids() if re.search(rf"\[(?:[^\]]*-)?{form}(?![0-9])", one)]


@pytest.mark.parametrize("form", FORMS)
def test_a_numbered_form_has_a_test_that_says_so(form):
    assert named(form) != []


@pytest.mark.parametrize(
    ("form", "tests"), [*BY_NAME.items(), *ELSEWHERE.items()], ids=[*BY_NAME, *ELSEWHERE]
)
def test_a_form_without_a_number_has_the_tests_of_the_table(form, tests):
    assert [test for test in tests if not any(test in one for one in ids())] == []


def test_a_form_that_nobody_proves_is_seen():
    assert named("U26") == []
