"""POST and PUT in every dialect: `idp-dialects.md` section 4."""

from __future__ import annotations

import copy

import pytest

from relay.errors import Refused
from relay.rules.contract import ENTERPRISE_SCHEMA as E
from relay.rules.contract import GROUP_SCHEMA, USER_SCHEMA
from relay.rules.dialect import parse_create, parse_replace
from relay.rules.shadow import TargetResource, apply, from_target, project
from relay.rules.types import Field, Fields, Kind, MemberEdit, MemberOp

MAIL = [{"value": "al@x.example", "type": "work", "primary": True}]
BEFORE = Fields("al", "e1", True, "al@x.example")


def created(body: dict, kind: Kind = Kind.USER) -> dict:
    return apply(parse_create(kind, body), None)


def test_a_create_in_odd_spelling_is_kept_in_the_right_one():
    body = {
        "Schemas": ["urn:scim:schemas:core:1.0"],
        "id": None,
        "USERNAME": "al",
        "Active": "TRUE",
        "emails": {"value": "al@x.example", "primary": "True"},
        "name.givenName": "Al",
        "urn:scim:schemas:extension:enterprise:1.0": {
            "Department": "D",
            "manager": {"managerId": ""},
        },
        f"{E}:division": "V",
        "password": "s3cret",
        "meta": {"resourceType": "User"},
        "groups": [],
        "roles": [],
        "title": None,
        "colour": "red",
    }

    assert created(body) == {
        "schemas": [USER_SCHEMA, E],
        "userName": "al",
        "active": True,
        "emails": [{"value": "al@x.example", "primary": True}],
        "name": {"givenName": "Al"},
        E: {"department": "D", "division": "V"},
        "roles": [],
    }


def test_a_write_names_the_fields_that_were_given():
    write = parse_create(
        Kind.USER, {"userName": "al", "emails": [], "active": None, "externalId": "e"}
    )

    assert write.written == {Field.NAME, Field.EXTERNAL_ID}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("body", [None, [], "x", 1, {}, {"userName": "", "displayName": " "}])
def test_a_create_needs_an_object_with_a_name(kind, body):
    with pytest.raises(Refused) as refused:
        parse_create(kind, body)

    assert refused.value.status == 400


def test_members_of_a_body_are_the_whole_roster():
    ids = [{"value": "a", "display": "x"}, {"value": "b", "$ref": "Users/b"}, {"value": "a"}]
    roster = (MemberEdit(MemberOp.REPLACE, ("a", "b")),)

    assert parse_create(Kind.GROUP, {"displayName": "g", "members": ids}).members == roster
    assert parse_replace(Kind.GROUP, {"displayName": "g", "members": ids}).members == roster


def test_an_empty_roster_in_a_put_empties_the_group():
    expected = (MemberEdit(MemberOp.REPLACE, ()),)

    assert parse_replace(Kind.GROUP, {"displayName": "g", "members": []}).members == expected


@pytest.mark.parametrize("body", [{"displayName": "g"}, {"displayName": "g", "members": None}])
def test_a_put_without_members_leaves_the_roster(body):
    assert parse_replace(Kind.GROUP, body).members == ()


@pytest.mark.parametrize(
    "body",
    [
        {"emails": None},
        {"emails": []},
        {"emails": [{"type": "work"}]},
        {"id": "i"},
        {"userName": None},
    ],
)
def test_a_partial_put_keeps_what_tfe_keeps_and_nothing_else(body):
    stored = {
        "schemas": [USER_SCHEMA],
        "userName": "al",
        "externalId": "e1",
        "active": True,
        "emails": MAIL,
    }
    after = apply(parse_replace(Kind.USER, body | {"title": "Dr"}), stored | {"nickName": "A"})

    assert after == stored | {"title": "Dr"}


def test_an_empty_list_of_addresses_is_read_back_where_none_is_known():
    body = {"userName": "al", "emails": [], "photos": []}
    shadow = created(body)

    assert shadow == body | {"schemas": [USER_SCHEMA]}
    assert apply(parse_replace(Kind.USER, body), shadow) == shadow


def test_a_put_of_a_group_keeps_name_and_external_id():
    stored = {"schemas": [GROUP_SCHEMA], "displayName": "g", "externalId": "e"}

    assert apply(parse_replace(Kind.GROUP, {"schemas": []}), stored) == stored


def test_applying_leaves_the_original_alone():
    stored = {"userName": "al", "name": {"givenName": "A"}, "emails": copy.deepcopy(MAIL)}
    before = copy.deepcopy(stored)
    apply(parse_replace(Kind.USER, {"name": {"givenName": "B"}, "emails": "n@x.example"}), stored)

    assert stored == before


EMAILS = {
    "the primary one": ([{"value": "a@x"}, {"value": "b@x", "primary": True}], "b@x"),
    "the primary one, as text": ([{"value": "a@x"}, {"value": "b@x", "primary": "True"}], "b@x"),
    "the work one": ([{"value": "a@x"}, {"value": "b@x", "type": "Work"}], "b@x"),
    "the first that has a value": ([{"primary": True}, {"value": "a@x"}, {"value": "b@x"}], "a@x"),
    "the stored one if there is none": ([{"primary": True}], "al@x.example"),
    "the stored one if it is no list": ("x", "al@x.example"),
}


@pytest.mark.parametrize(("emails", "expected"), EMAILS.values(), ids=EMAILS)
def test_tfe_keeps_one_address(emails, expected):
    assert project(Kind.USER, {"userName": "al", "emails": emails}, BEFORE).email == expected


def test_a_new_user_without_address_takes_a_user_name_that_is_one():
    for policy in ("userName", "{userName}@made-up.example"):
        assert (
            project(Kind.USER, {"userName": "al@corp.local"}, None, policy).email == "al@corp.local"
        )


def test_a_pattern_makes_an_address_of_a_plain_user_name():
    fields = project(Kind.USER, {"userName": "al"}, None, "{userName}@made-up.example")

    assert fields == Fields("al", None, True, "al@made-up.example")


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        ("al", "userName"),
        ("a l@x", "userName"),
        ("al@x", "refuse"),
        ("a b", "{userName}@x"),
        ("a@", "userName"),
    ],
)
def test_a_new_user_without_any_address_is_refused(name, policy):
    with pytest.raises(Refused, match="emails") as refused:
        project(Kind.USER, {"userName": name}, None, policy)

    assert (refused.value.status, refused.value.scim_type) == (400, "invalidValue")


def test_an_unknown_name_is_kept_or_refused():
    assert project(Kind.USER, {}, BEFORE).name == "al"
    with pytest.raises(Refused, match="displayName"):
        project(Kind.GROUP, {}, None)


def test_active_is_true_unless_something_says_otherwise():
    shadow = {"userName": "al@x"}

    assert project(Kind.USER, shadow, None).active is True
    assert project(Kind.USER, shadow, Fields("al", active=False, email="a@x")).active is False
    assert project(Kind.USER, shadow | {"active": False}, BEFORE).active is False


def test_only_a_user_can_lose_the_external_id():
    assert project(Kind.USER, {"userName": "al"}, BEFORE).external_id is None
    assert project(Kind.GROUP, {"displayName": "g"}, Fields("g", "e")) == Fields("g", "e")


def test_a_user_as_tfe_answers_it_is_read():
    body = {
        "schemas": [USER_SCHEMA],
        "id": "t1",
        "userName": "al",
        "name": {"formatted": "al-tfe"},
        "emails": [{"value": "al@x.example", "primary": True}],
        "active": False,
        "meta": {"resourceType": "User"},
    }
    found = from_target(Kind.USER, body)

    shadow = {key: body[key] for key in ("schemas", "userName", "name", "emails", "active")}
    assert found == TargetResource("t1", shadow, Fields("al", None, False, "al@x.example"), None)


def test_a_group_as_tfe_answers_it_is_read():
    body = {
        "id": "t2",
        "displayName": "g",
        "externalId": "e",
        "members": [{"value": "t1", "display": "al"}],
    }
    found = from_target(Kind.GROUP, body)

    shadow = {"schemas": [GROUP_SCHEMA], "displayName": "g", "externalId": "e"}
    assert found == TargetResource("t2", shadow, Fields("g", "e"), ("t1",))
    assert from_target(Kind.GROUP, {"id": "t2", "displayName": "g"}).members is None


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"id": "t"},
        {"displayName": "g"},
        {"id": 7, "displayName": "g"},
        {"id": "t", "displayName": "g", "members": [{}]},
    ],
)
def test_what_is_no_resource_is_not_taken_for_one(body):
    with pytest.raises(ValueError, match="cannot use TFE's answer"):
        from_target(Kind.GROUP, body)


def test_a_put_that_echoes_what_was_read_writes_none_of_it_that_is_read_only():
    body = {
        "id": "another",
        "meta": {"resourceType": "User", "version": "1"},
        "groups": [],
        "userName": "al@x.example",
    }
    write = parse_replace(Kind.USER, body)

    assert set(apply(write, None)) == {"schemas", "userName"}
    assert {"id", "meta", "groups"} & {edit.path[0] for edit in write.edits} == set()
