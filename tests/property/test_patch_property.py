"""Any JSON, any order: what holds for every request, not only for those on record."""

from __future__ import annotations

import copy

from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.errors import Refused
from relay.rules.contract import ENTERPRISE_SCHEMA as E
from relay.rules.contract import USER_SCHEMA
from relay.rules.dialect import parse_create, parse_patch, parse_replace
from relay.rules.filters import parse as parse_filter
from relay.rules.shadow import apply, project
from relay.rules.types import Fields, Kind, MemberOp, Verb

NAMES = [
    "userName", "USERNAME", "active", "emails", "externalId", "displayName", "members", "groups",
    "id", "meta", "schemas", "password", "name", "name.givenName", "manager", "roles", E,
    f"{E}:department", f"{E}:manager", f"{USER_SCHEMA}:userName", "emails.value", "colour",
    'emails[type eq "work"].value', 'members[value eq "a"]', 'members[value eq "a" or value eq b]',
    'emails[type eq "work"', "a b", "", "urn:", "roles[value pr]", "value", "primary", "type",
    "Operations", "operations", "op", "path", "$ref",
]  # fmt: skip
TEXTS = st.sampled_from([*NAMES, "add", "Remove", "REPLACE", "True", "false", "a", "b", "x@y"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.text(max_size=5)
KEYS = st.sampled_from(NAMES) | st.text(max_size=5)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)
KINDS = st.sampled_from(list(Kind))
OPERATION = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "Replace", "REMOVE"]) | SCALARS},
    optional={"path": TEXTS | SCALARS, "value": JSON},
)
PATCH = st.fixed_dictionaries({"Operations": st.lists(OPERATION, max_size=4) | JSON})
SECRET = "s3cret-of-a-user"


def read(parse, kind, body):
    """What `parse` makes of `body`; None if it refuses, anything else but a 400 is a failure."""
    try:
        return parse(kind, body)
    except Refused as refused:
        if refused.status != 400:
            raise
        return None


@settings(max_examples=400, deadline=None)
@given(kind=KINDS, body=JSON | PATCH | st.dictionaries(KEYS, JSON, max_size=6))
@example(
    kind=Kind.GROUP,
    body={"Operations": [{"op": "remove", "path": "members", "value": {"members": [[]]}}]},
)
def test_any_json_is_read_or_refused_and_changes_nothing_by_itself(kind, body):
    before = copy.deepcopy(body)
    for parse in (parse_create, parse_replace, parse_patch):
        write = read(parse, kind, body)
        if write is None:
            continue
        after = apply(
            write, None if write.verb is Verb.CREATE else {"userName": "u", "displayName": "d"}
        )
        fields = read(lambda kind, shadow: project(kind, shadow, None), kind, after)
        assert fields is None or fields.name
        assert not {"id", "meta", "members", "groups", "password"} & set(after)

    assert repr(body) == repr(before)


NAMING = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "Add", "Remove", "REMOVE"]),
        "path": st.sampled_from(
            ["members", "Members", "members.value", 'members[value eq "a"]', "", None]
        ),
        "value": JSON.filter(lambda value: value is not None),
    }
)


@settings(max_examples=300, deadline=None)
@given(operations=st.lists(NAMING, min_size=1, max_size=3))
def test_adding_and_removing_with_a_value_never_replaces_a_roster(operations):
    write = read(parse_patch, Kind.GROUP, {"Operations": operations})

    assert write is None or all(edit.op is not MemberOp.REPLACE for edit in write.members)


def stepped(roster: set[str], op: str, ids: list[str]) -> set[str]:
    match op:
        case "add":
            return roster | set(ids)
        case "remove" | "filter":
            return roster - set(ids)
        case _:
            return set(ids)


def roster_operations(verb: str, ids: list[str]) -> list[dict]:
    if verb == "filter":
        return [{"op": "remove", "path": f'members[value eq "{member}"]'} for member in ids]
    if verb == "bare":
        return [{"op": "remove", "path": "members"}]
    value = [{"value": member, "display": "x"} for member in ids]
    return [{"op": verb.title(), "path": "members", "value": value}]


ROSTER_STEP = st.tuples(
    st.sampled_from(["add", "remove", "filter", "replace", "bare"]),
    st.lists(st.sampled_from("abcd"), max_size=4),
)


@settings(max_examples=300, deadline=None)
@given(
    start=st.frozensets(st.sampled_from("abcd")),
    steps=st.lists(ROSTER_STEP, min_size=1, max_size=8),
)
def test_rosters_agree_with_plain_sets(start, steps):
    expected, operations = set(start), []
    for verb, ids in steps:
        expected = stepped(expected, verb, [] if verb == "bare" else ids)
        operations += roster_operations(verb, ids)
    operations.append({"op": "add", "path": "members", "value": []})

    roster = set(start)
    for edit in parse_patch(Kind.GROUP, {"Operations": operations}).members:
        assert len(edit.ids) == len(set(edit.ids))
        roster = stepped(roster, edit.op.value, list(edit.ids))

    assert roster == expected


SINGLES = st.sampled_from(["userName", "externalId", "title", "nickName"])
STEP = st.tuples(
    SINGLES, st.sampled_from(["add", "replace", "remove"]), st.sampled_from(["v1", "v2", "v3"])
)
SHAPES = st.sampled_from(
    [
        lambda op, name, value: {"op": op, "path": name, "value": value},
        lambda op, name, value: {"op": op.upper(), "path": name.upper(), "value": [value]},
        lambda op, name, value: {"op": op, "value": {f"{USER_SCHEMA}:{name}": {"value": value}}},
    ]
)


@settings(max_examples=300, deadline=None)
@given(steps=st.lists(st.tuples(STEP, SHAPES), min_size=1, max_size=8))
def test_single_values_agree_with_a_plain_dictionary(steps):
    oracle = {"userName": "u", "externalId": "e"}
    operations = []
    for (name, op, value), shape in steps:
        if op == "remove":
            operations.append({"op": "Remove", "path": name})
            if name != "userName":
                oracle.pop(name, None)
        else:
            operations.append(shape(op, name, value))
            oracle[name] = value

    before = {"userName": "u", "externalId": "e"}
    after = apply(parse_patch(Kind.USER, {"Operations": operations}), before)

    assert after == oracle | {"schemas": [USER_SCHEMA]}
    assert before == {"userName": "u", "externalId": "e"}


@settings(max_examples=200, deadline=None)
@given(
    fields=st.builds(Fields, st.just("u"), st.none() | st.just("e"), st.booleans(), st.just("a@x")),
    body=PATCH,
)
def test_a_patch_never_takes_name_address_or_activity_away(fields, body):
    write = read(parse_patch, Kind.USER, body)
    if write is None:
        return
    shadow = {"userName": "u", "active": fields.active, "emails": [{"value": "a@x"}]}
    after = project(Kind.USER, apply(write, shadow), fields)

    assert after.name
    assert after.email
    assert isinstance(after.active, bool)


@settings(max_examples=200, deadline=None)
@given(holder=st.sampled_from(["password", "PassWord", f"{USER_SCHEMA}:password"]), deep=JSON)
def test_a_password_never_passes(holder, deep):
    secret = {holder: {"value": [SECRET, deep]}, "emails": [{"value": "a@x", holder: SECRET}]}
    bodies = [
        (parse_create, {"userName": "u", **secret}),
        (parse_replace, secret),
        (parse_patch, {"Operations": [{"op": "replace", "value": secret}]}),
        (parse_patch, {"Operations": [{"op": "add", "path": holder, "value": SECRET}]}),
        (
            parse_patch,
            {"Operations": [{"op": "add", "path": f'{holder}[value eq "{SECRET}"]', "value": 1}]},
        ),
    ]
    for parse, body in bodies:
        assert SECRET not in repr(read(parse, Kind.USER, body))


FILTER_TEXT = st.lists(
    st.sampled_from(
        ["userName", "emails", "[", "]", "(", ")", "eq", "ne", "pr", "and", "or", "not", ".value", '"x"',
         '"', "true", "1", "meta.created", "gt", " ", "\\", "id", "colour"]
    ),
    max_size=12,
).map(" ".join)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(
    kind=KINDS,
    text=FILTER_TEXT | st.text(max_size=30),
    body=st.dictionaries(KEYS, JSON, max_size=4),
)
def test_any_filter_is_read_or_refused_and_judges_any_body(kind, text, body):
    found = read(parse_filter, kind, text)
    if found is not None:
        assert found.matches(body) in (True, False)
