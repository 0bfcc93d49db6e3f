"""Any filter text costs what its length says, and is a filter or a 400; logic is logic."""

from __future__ import annotations

import sys

from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.errors import Refused
from relay.rules.filters import parse
from relay.rules.grammar import MAX_DEPTH, MAX_LENGTH
from relay.rules.types import Kind

BODY = {
    "id": "u1",
    "userName": "alice@x.example",
    "active": True,
    "name": {"givenName": "Alice"},
    "emails": [
        {"value": "alice@x.example", "type": "work", "primary": True},
        {"value": "a@home.example", "type": "home"},
    ],
    "members": [{"value": "u1"}],
    "meta": {"created": "2026-01-02T03:04:05.678Z"},
}
LEAVES = (
    'userName eq "ALICE@x.example"', 'userName co "bob"', "active eq true", "title pr", "name pr",
    'emails[type eq "work" and value co "home"]', 'emails[type eq "home"].value sw "a@"',
    'meta.created gt "2025-01-01T00:00:00Z"', 'id ne "u1"', "colour eq 1",
)  # fmt: skip
PIECES = (
    *LEAVES, "and", "or", "not", "(", ")", "[", "]", "eq", "pr", "gt", '"', "\\", "\\u0", ".value",
    "userName", "emails", "members", "urn:ietf:params:scim:schemas:core:2.0:User:", "null", "1e9",
    "-1", "true", " ", "\t", "\n", "\x00", "ä", "\ud800", "x" * 300, "a.b.c.d", "$ref", "not(",
)  # fmt: skip
CALLS_PER_CHARACTER = 30
CALLS_AT_LEAST = 400


def cost(text: str) -> int:
    """How many calls, of Python and of C, reading and applying a filter takes."""
    calls = 0

    def count(_frame, event, _argument):
        nonlocal calls
        calls += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        refusals = [refused for kind in Kind if (refused := refusal(kind, text))]
    finally:
        sys.setprofile(before)
    assert {(one.status, one.scim_type) for one in refusals} <= {(400, "invalidFilter")}
    return calls


def refusal(kind: Kind, text: str) -> Refused | None:
    try:
        parse(kind, text).matches(BODY)
    except Refused as refused:
        return refused
    return None


texts = st.lists(st.sampled_from(PIECES), max_size=60).map(" ".join) | st.lists(
    st.sampled_from(PIECES), max_size=60
).map("".join)


@settings(max_examples=1_500, deadline=None)
@given(texts | st.text(max_size=200))
@example("(" * MAX_LENGTH)
@example("not(" * (MAX_LENGTH // 4))
@example("emails[" * (MAX_LENGTH // 7))
@example('"' * MAX_LENGTH)
@example('userName eq "' + "\\" * (MAX_LENGTH - 13))
@example(" " * MAX_LENGTH)
@example("a pr or " * (MAX_LENGTH // 8))
@example("emails[type pr] and " * (MAX_LENGTH // 20) + "a pr")
@example("(" * MAX_DEPTH + "userName pr" + ")" * MAX_DEPTH)
@example("userName eq 1" * 10_000)
def test_any_text_is_a_filter_or_a_400_at_a_cost_that_grows_with_its_length_alone(text):
    assert cost(text) <= CALLS_AT_LEAST + CALLS_PER_CHARACTER * min(len(text), MAX_LENGTH)


def truth(leaf: str) -> bool:
    return parse(Kind.USER, leaf).matches(BODY)


logic = st.recursive(
    st.sampled_from(LEAVES).map(lambda leaf: (leaf, truth(leaf), 3)),
    lambda inner: st.one_of(
        inner.map(lambda part: (f"NOT ({part[0]})", not part[1], 3)),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: joined(parts, "and", 2)),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: joined(parts, "OR", 1)),
    ),
    max_leaves=10,
)


def joined(parts, word, binds):
    """Parts with brackets only where `and` before `or` (RFC 7644 table 5) does not do without."""
    written = [text if strength > binds else f"({text})" for text, _, strength in parts]
    together = all if word == "and" else any
    return f" {word} ".join(written), together(true for _, true, _ in parts), binds


@settings(max_examples=500, deadline=None)
@given(logic)
def test_and_or_and_not_mean_what_they_say(found):
    text, true, _ = found
    if len(text) <= MAX_LENGTH:
        assert parse(Kind.USER, text).matches(BODY) is true
