"""`sortBy` (RFC 7644 section 3.4.2.3)."""

import pytest

from relay.rules.sorting import order
from relay.rules.types import Kind

ADA = {
    "userName": "ada",
    "title": "b",
    "emails": [{"value": "z@x"}, {"value": "a@x", "primary": True}],
}
BOB = {"userName": "Bob", "name": {"familyName": "Ames"}, "emails": [{"value": "m@x"}]}
CAI = {"userName": "cai", "title": "A", "name": {"familyName": "bohm"}}


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("userName", ["ada", "Bob", "cai"]),
        ("USERNAME", ["ada", "Bob", "cai"]),
        ("title", ["cai", "ada", "Bob"]),
        ("name.familyName", ["Bob", "cai", "ada"]),
        ("emails", ["ada", "Bob", "cai"]),
        ("emails.value", ["ada", "Bob", "cai"]),
    ],
)
def test_text_is_sorted_without_case_the_primary_value_counts_and_nothing_comes_last(by, names):
    key = order(Kind.USER, by)
    assert [one["userName"] for one in sorted([CAI, BOB, ADA], key=key)] == names


def test_an_attribute_that_nobody_knows_sorts_nothing():
    assert order(Kind.GROUP, "userName") is None
