"""The bodies of answers."""

from __future__ import annotations

import pytest

from relay.rules.contract import ENTERPRISE_SCHEMA as E
from relay.rules.contract import ERROR_SCHEMA, GROUP_SCHEMA, LIST_SCHEMA, USER_SCHEMA
from relay.rules.types import Kind
from relay.rules.view import error_body, list_body, resource_body, select, timestamp

BASE = "https://relay.example/scim/v2"
USER = resource_body(
    Kind.USER,
    "u1",
    {
        "schemas": [USER_SCHEMA, E],
        "userName": "al",
        "name": {"givenName": "A", "familyName": "B"},
        "emails": [{"value": "a@x", "type": "work"}, {"value": "b@x"}],
        E: {"department": "D", "manager": {"value": "m"}},
    },
    0.0,
    1_700_000_000.1239,
    BASE,
    None,
)
GROUP = resource_body(
    Kind.GROUP,
    "g1",
    {"schemas": [GROUP_SCHEMA], "displayName": "g"},
    0,
    0,
    BASE,
    [("u1", "al", Kind.USER)],
)


def test_a_user_reads_as_it_was_written_with_id_and_meta():
    assert USER["id"] == "u1"
    assert USER["userName"] == "al"
    assert USER["meta"] == {
        "resourceType": "User",
        "created": "1970-01-01T00:00:00.000Z",
        "lastModified": "2023-11-14T22:13:20.123Z",
        "location": f"{BASE}/Users/u1",
    }
    assert not {"groups", "members"} & set(USER)


def test_a_group_names_its_members():
    assert GROUP["members"] == [{"value": "u1", "$ref": f"{BASE}/Users/u1", "type": "User"}]
    assert GROUP["meta"]["location"] == f"{BASE}/Groups/g1"


def test_a_member_s_display_is_its_user_s_name():
    shadow = {"schemas": [GROUP_SCHEMA]}
    body = resource_body(
        Kind.GROUP, "g1", shadow, 0, 0, BASE, [("u1", "al", Kind.USER)], displays=True
    )

    assert [member["display"] for member in body["members"]] == ["al"]


def test_a_group_in_a_group_is_named_as_one():
    members = [("g2", "inner", Kind.GROUP)]
    body = resource_body(Kind.GROUP, "g1", {"schemas": [GROUP_SCHEMA]}, 0, 0, BASE, members)

    assert body["members"] == [{"value": "g2", "$ref": f"{BASE}/Groups/g2", "type": "Group"}]


def test_a_roster_that_was_not_asked_for_is_left_out():
    body = resource_body(Kind.GROUP, "g1", {"schemas": [GROUP_SCHEMA]}, 0, 0, BASE, None)

    assert "members" not in body


def test_a_list_says_how_much_there_is():
    assert list_body(7, 3, [USER]) == {
        "schemas": [LIST_SCHEMA],
        "totalResults": 7,
        "startIndex": 3,
        "itemsPerPage": 1,
        "Resources": [USER],
    }
    assert list_body(0, 1, [])["Resources"] == []


def test_an_error_has_its_status_as_text():
    assert error_body(404, "gone") == {"schemas": [ERROR_SCHEMA], "status": "404", "detail": "gone"}
    assert error_body(409, "taken", "uniqueness")["scimType"] == "uniqueness"


def test_time_is_cut_to_milliseconds():
    assert timestamp(0.9999) == "1970-01-01T00:00:00.999Z"


WANTED = {
    "one": ("userName", {"userName": "al"}),
    "odd case": ("USERNAME", {"userName": "al"}),
    "with blanks": (" userName , ", {"userName": "al"}),
    "as names": (["userName"], {"userName": "al"}),
    "a part": ("name.givenName", {"name": {"givenName": "A"}}),
    "two parts": (
        "name.givenName,name.familyName",
        {"name": {"givenName": "A", "familyName": "B"}},
    ),
    "a part of elements": ("emails.value", {"emails": [{"value": "a@x"}, {"value": "b@x"}]}),
    "parts of elements": ("emails.value,emails.type", {"emails": USER["emails"]}),
    "the extension": (E, {E: USER[E]}),
    "a part of the extension": (f"{E}:department", {E: {"department": "D"}}),
    "deep in the extension": (f"{E}:manager.value", {E: {"manager": {"value": "m"}}}),
    "with its URN": (f"{USER_SCHEMA}:userName", {"userName": "al"}),
    "what is not there": ("title,title.x", {}),
    "what nobody knows": ("colour", {}),
    "a part of a scalar": ("userName.value", {}),
}


@pytest.mark.parametrize(("attributes", "expected"), WANTED.values(), ids=WANTED)
def test_only_wanted_attributes_are_returned(attributes, expected):
    always = {"schemas": USER["schemas"], "id": "u1"}

    assert select(USER, attributes) == always | expected


def test_everything_is_returned_unless_something_is_wanted():
    assert select(USER) is USER
    assert select(USER, "", " , ") is USER


def test_unwanted_attributes_are_left_out():
    assert "members" not in select(GROUP, None, "members")
    assert select(USER, None, "name.givenName")["name"] == {"familyName": "B"}
    assert select(USER, None, "emails.type")["emails"] == [{"value": "a@x"}, {"value": "b@x"}]
    assert select(USER, None, f"{E}:manager")[E] == {"department": "D"}
    assert select(USER, None, "title,id,schemas,colour") == USER


def test_what_is_wanted_goes_before_what_is_not():
    assert select(USER, "userName", "userName")["userName"] == "al"


def test_odd_stored_shapes_are_passed_over():
    odd = USER | {"name": "text", "emails": [1]}

    assert select(odd, "name.givenName,emails.value")["emails"] == [{}]
    assert select(odd, None, "name.givenName,emails.value") == odd
