"""The filter language: RFC 7644 section 3.4.2.2, and what senders make of it."""

from __future__ import annotations

import pytest

from relay.errors import Refused
from relay.rules.contract import ENTERPRISE_SCHEMA as E
from relay.rules.contract import USER_SCHEMA
from relay.rules.filters import parse
from relay.rules.grammar import MAX_DEPTH, MAX_LENGTH
from relay.rules.types import Kind

ALICE = {
    "schemas": [USER_SCHEMA, E],
    "id": "u1",
    "userName": "Alice@x.example",
    "externalId": "Ext1",
    "title": "",
    "nickName": "123",
    "active": True,
    "name": {"givenName": "Alice"},
    "emails": [
        {"value": "alice@x.example", "type": "work", "primary": True},
        {"value": "a@home.example", "type": "home"},
    ],
    "roles": [],
    E: {"manager": {"value": "m1"}, "department": "IT"},
    "meta": {"created": "2026-01-02T03:04:05.678Z", "resourceType": "User"},
}
GROUP = {"id": "g1", "displayName": "Eng", "members": [{"value": "u1", "display": "al"}]}

LOOKUPS = {
    'userName eq "a"': ("userName", "a"),
    'username Eq "a"': ("userName", "a"),
    "userName  eq   a@x.example": ("userName", "a@x.example"),
    'id eq "u1"': ("id", "u1"),
    "externalId eq alice": ("externalId", "alice"),
    "externalId eq 183402511": ("externalId", "183402511"),
    'emails eq "a@x"': ("emails.value", "a@x"),
    'emails.value EQ "a@x"': ("emails.value", "a@x"),
    'emails[type eq "work"].value eq "a@x"': ("emails.value", "a@x"),
    'emails[type eq "work" and value eq "a@x"]': None,
    'emails[value eq "a@x"]': ("emails.value", "a@x"),
    'emails[type ne "work"].value eq "a@x"': None,
    'emails[primary eq true].value eq "a@x"': None,
    'emails[type eq "work"].type eq "x"': None,
    'roles[value eq "x"]': None,
    'colour[value eq "x"]': None,
    f'{USER_SCHEMA}:userName eq "a"': ("userName", "a"),
    '( userName eq "a" )': ("userName", "a"),
    'userName eq "a\\"b"': ("userName", 'a"b'),
    'userName eq "a\\u00e4"': ("userName", "aä"),
    'userName eq "DOMAIN\\user"': ("userName", "DOMAIN\\user"),
    'userName eq ""': ("userName", ""),
    "userName eq null": None,
    'userName ne "a"': None,
    'displayName eq "a"': None,
    'colour eq "a"': None,
}
LOOKUPS['emails[type eq "work" and value eq "a@x"]'] = ("emails.value", "a@x")


@pytest.mark.parametrize(("text", "expected"), LOOKUPS.items())
def test_an_indexed_equality_is_recognised_however_it_is_written(text, expected):
    found = parse(Kind.USER, text)

    assert found.lookup == expected
    assert found.narrowed_by == expected


def test_a_group_is_looked_up_by_its_name():
    assert parse(Kind.GROUP, 'DisplayName eq "Eng"').lookup == ("displayName", "Eng")
    assert parse(Kind.GROUP, 'userName eq "Eng"').lookup is None


def test_a_conjunction_is_narrowed_by_an_index_but_not_answered_by_it():
    found = parse(Kind.USER, 'manager eq "m2" and id eq "u1"')

    assert (found.lookup, found.narrowed_by) == (None, ("id", "u1"))
    assert not found.matches(ALICE)


TRUE = [
    'userName eq "alice@X.EXAMPLE"',
    'userName ne "bob"',
    'userName co "CE@"',
    'userName sw "alice"',
    'userName ew ".example"',
    'userName gt "alice"',
    'userName ge "alice@x.example"',
    'userName lt "b"',
    'userName le "alice@x.example"',
    "userName pr",
    'externalId eq "Ext1"',
    'externalId ne "ext1"',
    "active eq true",
    "active eq TRUE",
    'active eq "True"',
    "not (active eq false)",
    "nickName eq 123",
    'name.givenName eq "alice"',
    "name pr",
    'emails eq "ALICE@x.example"',
    'emails.value sw "a@"',
    'emails[type eq "home" and value co "home"]',
    'emails[not (type eq "work")]',
    'emails[type eq "x" or primary eq true]',
    "emails[primary pr]",
    'emails.type ne "other"',
    'manager eq "m1"',
    f'{E}:manager.value eq "m1"',
    f'{E}:department eq "it"',
    f"{E} pr",
    'id eq "u1" and manager eq "m1"',
    'userName eq "x" or userName pr and active eq true',
    '(userName eq "x" or userName pr) and active eq true',
    'meta.created gt "2026-01-02T04:04:05+02:00"',
    'meta.created eq "2026-01-02T03:04:05.678Z"',
    'meta.created le "2026-01-02T03:04:05.678"',
    'meta.created sw "2026"',
    'meta.resourceType eq "User"',
    "title eq null",
    "displayName eq null",
    "userName ne null",
    'displayName ne "x"',
    'colour ne "x"',
]
FALSE = [
    'externalId eq "ext1"',
    'id eq "U1"',
    "active eq false",
    "not (active eq true)",
    "title pr",
    "roles pr",
    "displayName pr",
    'displayName eq "x"',
    'displayName co ""',
    "colour pr",
    'colour eq "x"',
    'colour[a eq "x"]',
    'userName[a eq "x"]',
    'emails[colour eq "x"]',
    'emails[type eq "home" and primary eq true]',
    'emails[roles[value eq "x"]]',
    'emails ne "alice@x.example"',
    'emails.display eq "x"',
    'emails eq "x"',
    'userName eq "alice@x.example" and active eq false',
    'manager eq "M1"',
    "userName eq null",
    'meta.created lt "2026-01-01T00:00:00Z"',
    'userName gt "z"',
]


@pytest.mark.parametrize("text", TRUE)
def test_a_filter_that_holds(text):
    body = {key: value for key, value in ALICE.items() if key != "title" or "title" not in text}
    assert parse(Kind.USER, text).matches(body if "null" in text else ALICE)


@pytest.mark.parametrize("text", FALSE)
def test_a_filter_that_does_not_hold(text):
    assert not parse(Kind.USER, text).matches(ALICE)


def test_an_element_without_a_value_is_compared_with_nothing():
    body = {"emails": [{"type": "work"}, {"value": "b@x"}]}

    assert parse(Kind.USER, 'emails co "@"').matches(body)
    assert not parse(Kind.USER, 'emails co "work"').matches(body)


def test_entra_asks_whether_a_user_is_a_member():
    text = 'id eq "g1" and members eq "u1"'

    assert parse(Kind.GROUP, text).matches(GROUP)
    assert parse(Kind.GROUP, 'members[value eq "u1"]').matches(GROUP)
    assert not parse(Kind.GROUP, 'id eq "g1" and members eq "u2"').matches(GROUP)


UNREADABLE = [
    "",
    "userName",
    "userName eq",
    'userName like "x"',
    'eq "x"',
    'userName eq "x',
    'userName eq "x" and',
    'userName eq "x" "y"',
    '(userName eq "x"',
    'userName eq "x")',
    "userName eq (",
    "not userName pr",
    "emails[",
    "emails[]",
    'emails[type eq "x"].a.b pr',
    'emails[type eq "x"]. pr',
    "1name pr",
    "active gt true",
    'x509Certificates.value lt "a"',
    'meta.created gt "yesterday"',
    'not (emails pr and meta.created gt "soon")',
]


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_filter_that_cannot_be_read_is_a_400(text):
    with pytest.raises(Refused) as refused:
        parse(Kind.USER, text)

    assert (refused.value.status, refused.value.scim_type) == (400, "invalidFilter")


@pytest.mark.parametrize(
    "text",
    [
        "(" * (MAX_DEPTH + 1) + "id pr" + ")" * (MAX_DEPTH + 1),
        "not (" * 300 + "id pr" + ")" * 300,
        "a[" * 600 + "b pr" + "]" * 600,
        "id pr and " * 300 + "id pr",
        'userName eq "' + "x" * MAX_LENGTH + '"',
        'userName eq "' + "\\" * 2000,
        r'userName eq "\ud800"',
        r'userName eq "\udfff\ud800"',
        'userName eq "\ud800"',
    ],
)
def test_a_hostile_filter_is_a_400(text):
    with pytest.raises(Refused):
        parse(Kind.USER, text)


def test_a_filter_within_the_limits_is_read():
    text = "(" * (MAX_DEPTH - 1) + "id pr" + ")" * (MAX_DEPTH - 1)

    assert parse(Kind.USER, text).matches(ALICE)
