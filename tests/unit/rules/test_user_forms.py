"""The PATCH forms of users: `idp-dialects.md` section 3.1, by number."""

from __future__ import annotations

import pytest

from relay.errors import Refused
from relay.rules.contract import ENTERPRISE_SCHEMA as E
from relay.rules.contract import USER_SCHEMA
from relay.rules.dialect import parse_patch, parse_replace
from relay.rules.shadow import apply, project
from relay.rules.types import Field, Fields, Kind

W = 'emails[type eq "work"].value'
STORED = {
    "schemas": [USER_SCHEMA],
    "userName": "al@x.example",
    "externalId": "e1",
    "active": True,
    "displayName": "Al",
    "emails": [{"value": "al@x.example", "type": "work", "primary": True}],
}
BEFORE = Fields("al@x.example", "e1", True, "al@x.example")


def patch(*operations: dict) -> dict:
    return {"Operations": list(operations)}


def replace(path: str, value: object) -> dict:
    return {"op": "Replace", "path": path, "value": value}


def kept_after(body: dict, shadow: dict = STORED, previous: Fields = BEFORE) -> Fields:
    return project(Kind.USER, apply(parse_patch(Kind.USER, body), shadow), previous)


def changed(**fields: object) -> Fields:
    base = {"name": BEFORE.name, "external_id": "e1", "active": True, "email": BEFORE.email}
    return Fields(**(base | fields))


FORMS = {
    "U1 capital False": (patch(replace("active", "False")), changed(active=False)),
    "U1 capital True": (patch(replace("active", "True")), changed()),
    "U1 lower case": (patch(replace("active", "false")), changed(active=False)),
    "U2": (patch({"op": "replace", "path": "active", "value": False}), changed(active=False)),
    "U3": (patch({"op": "replace", "value": {"active": False}}), changed(active=False)),
    "U4": (patch({"op": "replace", "value": {"id": "i", "active": False}}), changed(active=False)),
    "U5": (patch({"op": "replace", "path": "active", "value": ["false"]}), changed(active=False)),
    "U6": (patch(replace(W, "new@x.example")), changed(email="new@x.example")),
    "U7": (
        patch({"op": "Add", "path": W, "value": "new@x.example"}),
        changed(email="new@x.example"),
    ),
    "U8 null": (patch(replace(W, None)), changed()),
    "U8 remove": (patch({"op": "Remove", "path": W}), changed()),
    "U9": (patch(replace('emails[type eq "other"].value', "o@x.example")), changed()),
    "U10": (
        patch(replace("emails", [{"value": "n@x.example", "type": "work", "primary": True}])),
        changed(email="n@x.example"),
    ),
    "U11 swap": (
        patch(
            {"op": "remove", "path": 'emails[type eq "work" and value eq "AL@x.example"]'},
            {"op": "add", "path": "emails", "value": [{"value": "n@x.example", "type": "work"}]},
        ),
        changed(email="n@x.example"),
    ),
    "U11 alone": (patch({"op": "remove", "path": 'emails[value eq "al@x.example"]'}), changed()),
    "U12": (patch(replace("userName", "b@x.example")), changed(name="b@x.example")),
    "U12 odd case": (patch(replace("username", "b@x.example")), changed(name="b@x.example")),
    "U13": (patch(replace("externalId", "e2")), changed(external_id="e2")),
    "U14": (patch({"op": "remove", "path": "externalId"}), changed(external_id=None)),
    "U15": (patch(replace("name.givenName", "Al"), replace("title", "Dr")), changed()),
    "U16": (patch({"op": "Add", "path": f"{E}:employeeNumber", "value": "7"}), changed()),
    "U17": (patch({"op": "Add", "path": f"{E}:manager", "value": "m1"}), changed()),
    "U18": (
        patch(
            {
                "op": "replace",
                "value": {"userName": "b", "name.givenName": "B", f"{E}:division": "D"},
            }
        ),
        changed(name="b"),
    ),
    "U18 filter as a key": (
        patch({"op": "replace", "value": {W: "n@x.example"}}),
        changed(email="n@x.example"),
    ),
    "U19": (
        patch({"op": "add", "value": {"externalId": "e3", "nickName": "B"}}),
        changed(external_id="e3"),
    ),
    "U20": (patch({"op": "replace", "value": {"password": "s3cret"}}), changed()),
    "U21": (
        patch({"op": "Add", "path": "userName", "value": [{"$ref": None, "value": "b"}]}),
        changed(name="b"),
    ),
    "U22": (patch({"op": "Add", "path": "roles", "value": [{"value": '{"id":1}'}]}), changed()),
    "U23": (
        patch(
            {"op": "remove", "path": "externalId"},
            {"op": "add", "path": "externalId", "value": "e4"},
            {"op": "replace", "path": "externalId", "value": "e5"},
        ),
        changed(external_id="e5"),
    ),
    "U24": (
        {"operations": [{"OP": "REPLACE", "Path": "active", "Value": "FALSE"}]},
        changed(active=False),
    ),
    "U25": (patch(*[replace("active", "False")] * 150), changed(active=False)),
    "clearing userName is ignored": (patch({"op": "remove", "path": "userName"}), changed()),
    "clearing active is ignored": (patch(replace("active", None)), changed()),
    "clearing emails is ignored": (patch({"op": "remove", "path": "emails"}), changed()),
    "emails without addresses are ignored": (
        patch(replace("emails", [{"type": "work"}])),
        changed(),
    ),
    "externalId cleared by empty text": (
        patch(replace("externalId", "")),
        changed(external_id=None),
    ),
    "emails as text": (patch(replace("emails", "t@x.example")), changed(email="t@x.example")),
    "emails.value without a filter": (
        patch(replace("emails.value", "v@x.example")),
        changed(email="v@x.example"),
    ),
    "URN-prefixed core name": (patch(replace(f"{USER_SCHEMA}:userName", "b")), changed(name="b")),
    "filter without quotes": (
        patch(replace("emails[type eq work].value", "q@x.example")),
        changed(email="q@x.example"),
    ),
    "filter for the primary one": (
        patch(replace("emails[primary eq true].value", "p@x.example")),
        changed(email="p@x.example"),
    ),
    "remove without a path is ignored": (patch({"op": "remove"}), changed()),
    "one operation without its list": (
        {"Operations": replace("active", False)},
        changed(active=False),
    ),
    "object in a list without a path": (
        patch({"op": "replace", "value": [{"active": False}]}),
        changed(active=False),
    ),
    "a whole number for text": (patch(replace("externalId", 42)), changed(external_id="42")),
}


@pytest.mark.parametrize(("body", "expected"), FORMS.values(), ids=FORMS)
def test_each_form_leaves_what_its_sender_means(body, expected):
    assert kept_after(body) == expected


@pytest.mark.parametrize("form", ["U15", "U16", "U17", "U22"])
def test_attributes_tfe_does_not_keep_are_read_back(form):
    write = parse_patch(Kind.USER, FORMS[form][0])
    after = apply(write, STORED)

    assert write.written == frozenset()
    assert {key for key in after if after[key] != STORED.get(key)} - {"schemas"} != set()


def test_a_password_is_nowhere_in_a_write():
    bodies = [
        FORMS["U20"][0],
        patch(replace("password", "s3cret")),
        patch(replace("PASSWORD", "s3cret"), replace(f"{USER_SCHEMA}:password", "s3cret")),
        patch(replace('password[value eq "s3cret"]', "s3cret")),
        patch(replace("name", {"password": "s3cret"}), replace("emails", [{"password": "s3cret"}])),
    ]

    assert not any("s3cret" in repr(parse_patch(Kind.USER, body)) for body in bodies)


def test_a_refusal_of_a_path_does_not_quote_it():
    with pytest.raises(Refused) as refused:
        parse_patch(Kind.USER, patch(replace('password[value eq eq "s3cret"]', 1)))

    assert "s3cret" not in refused.value.detail


def test_an_explicit_deactivation_is_written_even_if_nothing_differs():
    write = parse_patch(Kind.USER, patch(replace("active", "False")))

    assert write.written == {Field.ACTIVE}


def test_clearing_an_address_shows_in_the_shadow_only():
    write = parse_patch(Kind.USER, patch(replace(W, None)))

    assert write.written == frozenset()
    assert apply(write, STORED)["emails"] == [{"type": "work", "primary": True}]


@pytest.mark.parametrize("operation", [{"op": "remove", "path": "active"}, replace("active", None)])
def test_clearing_active_shows_in_the_shadow_only_and_a_suspended_user_stays_suspended(operation):
    suspended = Fields(BEFORE.name, None, active=False, email=BEFORE.email)
    write = parse_patch(Kind.USER, patch(operation))

    cleared = apply(write, STORED | {"active": False})

    assert write.written == frozenset()
    assert "active" not in cleared
    assert project(Kind.USER, cleared, suspended).active is False
    again = parse_replace(Kind.USER, {"userName": BEFORE.name})
    assert project(Kind.USER, apply(again, cleared), suspended).active is False


def test_a_removal_with_elements_takes_those_elements():
    shadow = STORED | {"roles": [{"value": "a"}, {"value": "b"}]}
    body = patch({"op": "remove", "path": "roles", "value": [{"value": "a"}]})

    assert apply(parse_patch(Kind.USER, body), shadow)["roles"] == [{"value": "b"}]


def test_a_removal_with_an_empty_list_takes_nothing():
    shadow = STORED | {"roles": [{"value": "a"}]}
    body = patch({"op": "remove", "path": "roles", "value": []})

    assert apply(parse_patch(Kind.USER, body), shadow) == shadow


def test_an_imported_address_without_a_type_is_the_work_address():
    shadow = STORED | {"emails": [{"value": "old@x.example", "primary": True}]}
    after = apply(parse_patch(Kind.USER, patch(replace(W, "new@x.example"))), shadow)

    assert after["emails"] == [{"value": "new@x.example", "primary": True, "type": "work"}]


def test_a_manager_is_cleared_by_an_empty_value():
    shadow = STORED | {E: {"manager": {"value": "m"}, "department": "D"}}
    for value in ({"value": ""}, "", None):
        after = apply(parse_patch(Kind.USER, patch(replace(f"{E}:manager", value))), shadow)
        assert after[E] == {"department": "D"}


def test_a_part_of_an_object_is_cleared_by_null():
    shadow = STORED | {E: {"manager": {"value": "m"}, "department": "D"}}
    body = patch({"op": "replace", "value": {E: {"manager": None, "division": "V"}}})

    assert apply(parse_patch(Kind.USER, body), shadow)[E] == {"department": "D", "division": "V"}


def test_the_extension_goes_as_a_whole_and_from_schemas_too():
    shadow = STORED | {"schemas": [USER_SCHEMA, E], E: {"department": "D"}}
    after = apply(parse_patch(Kind.USER, patch({"op": "remove", "path": E})), shadow)

    assert after == STORED


def test_what_cannot_be_read_of_other_attributes_is_dropped():
    body = patch(
        replace("title", {"a": [1]}),
        replace("name", "Al"),
        replace("roles", [{"value": str(n)} for n in range(1000)]),
        replace("urn:example:custom:1.0:User:colour", "red"),
        replace(f"{E}:unknown", "x"),
        replace('phoneNumbers[type ne "work"].value', "1"),
        replace('title[a eq "b"]', "1"),
        replace('phoneNumbers[type eq "work"].unknown', "1"),
        replace(E, "text"),
        {"op": "add", "path": "nickName"},
        {"op": "remove", "path": "roles", "value": [[1]]},
        replace("active", False),
    )
    write = parse_patch(Kind.USER, body)

    assert [edit.path for edit in write.edits] == [("active",)]
    assert len(write.dropped) == 11


def test_dropped_names_are_bounded_and_printable():
    body = {"op": "replace", "value": {f"odd name\n{n}" + "x" * 500: 1 for n in range(500)}}
    write = parse_patch(Kind.USER, patch(body))

    assert len(write.dropped) == 50
    assert all(len(name) == 80 and name.startswith("odd?name?") for name in write.dropped)


REFUSED = {
    "body is a list": ([], "invalidSyntax"),
    "no Operations": ({}, "invalidSyntax"),
    "Operations is text": ({"Operations": "x"}, "invalidSyntax"),
    "Operations is empty": ({"Operations": []}, "invalidSyntax"),
    "too many operations": (patch(*[replace("title", "x")] * 10_001), "invalidValue"),
    "operation is text": ({"Operations": ["x"]}, "invalidSyntax"),
    "no op": (patch({"path": "active", "value": True}), "invalidSyntax"),
    "unknown op": (patch({"op": "move", "path": "active", "value": True}), "invalidSyntax"),
    "op is a number": (patch({"op": 1}), "invalidSyntax"),
    "path is a number": (patch({"op": "add", "path": 1, "value": 1}), "invalidPath"),
    "path is no path": (patch(replace("a b", 1)), "invalidPath"),
    "path is cut": (patch(replace('emails[type eq "work"', 1)), "invalidPath"),
    "text without a path": (patch({"op": "replace", "value": "x"}), "invalidValue"),
    "active is no boolean": (patch(replace("active", "maybe")), "invalidValue"),
    "active is a number": (patch(replace("active", 0)), "invalidValue"),
    "active is many": (patch(replace("active", [True, False])), "invalidValue"),
    "active has a filter": (patch(replace('active[a eq "b"]', True)), "invalidValue"),
    "active has no value": (patch({"op": "replace", "path": "active"}), "invalidValue"),
    "userName is an object": (patch(replace("userName", {"first": "x"})), "invalidValue"),
    "userName is nested": (patch(replace("userName", {"value": ["x"]})), "invalidValue"),
    "userName is a fraction": (patch(replace("userName", 1.5)), "invalidValue"),
    "externalId is past all digits": (patch(replace("externalId", 10**30)), "invalidValue"),
    "an address is an object": (patch(replace("emails", [{"value": {"a": 1}}])), "invalidValue"),
    "an address has no value": (patch({"op": "replace", "path": W}), "invalidValue"),
    "an address by another operator": (
        patch(replace('emails[type ne "work"].value', "x")),
        "invalidValue",
    ),
    "an address by an unknown part": (
        patch(replace('emails[colour eq "red"].value', "x")),
        "invalidValue",
    ),
    "memberships through the user": (
        patch({"op": "add", "path": "groups", "value": [{"value": "g"}]}),
        "mutability",
    ),
}


@pytest.mark.parametrize(("body", "scim_type"), REFUSED.values(), ids=REFUSED)
def test_what_means_nothing_is_refused_now(body, scim_type):
    with pytest.raises(Refused) as refused:
        parse_patch(Kind.USER, body)

    assert (refused.value.status, refused.value.scim_type) == (400, scim_type)


def test_a_filter_with_too_many_alternatives_is_refused():
    pair = '(value eq "a" or value eq "b")'
    with pytest.raises(Refused) as refused:
        parse_patch(Kind.USER, patch(replace(f"emails[{' and '.join([pair] * 9)}].value", "x")))

    assert refused.value.status == 400


def test_removals_that_name_nothing_take_nothing():
    shadow = STORED | {"roles": [{"value": "a"}], "addresses": [{"region": "r"}]}
    body = patch(
        {"op": "remove", "path": "addresses", "value": [{"region": "r"}]},
        {"op": "Add", "path": W, "value": None},
        {"op": "Add", "path": "roles", "value": []},
        {"op": "Add", "path": "roles", "value": None},
    )
    write = parse_patch(Kind.USER, body)

    assert write.edits == ()
    assert apply(write, shadow) == shadow


def test_a_part_of_the_preferred_element_is_removed():
    write = parse_patch(Kind.USER, patch({"op": "remove", "path": "emails.type"}))

    assert apply(write, STORED)["emails"] == [{"value": "al@x.example", "primary": True}]


def test_the_extension_is_cleared_by_null():
    after = apply(
        parse_patch(Kind.USER, patch(replace(E, None))), STORED | {E: {"department": "D"}}
    )

    assert after == STORED


def test_a_misfit_inside_an_object_is_left_out_of_it():
    write = parse_patch(Kind.USER, patch(replace("emails", [{"value": "n@x", "primary": "maybe"}])))

    assert write.edits[0].value == [{"value": "n@x"}]


def test_a_removal_of_addresses_that_cannot_be_read_is_refused():
    body = patch({"op": "remove", "path": "emails", "value": [{"value": {"a": 1}}]})
    with pytest.raises(Refused):
        parse_patch(Kind.USER, body)


def test_many_operations_with_many_alternatives_are_refused():
    alternatives = " or ".join(f"type eq t{number}" for number in range(100))
    operation = {"op": "add", "path": f"emails[{alternatives}].value", "value": "x@y"}
    with pytest.raises(Refused, match="2000 changes"):
        parse_patch(Kind.USER, patch(*[operation] * 30))


@pytest.mark.parametrize("path", ["id", "meta", "schemas", "meta.created"])
def test_read_only_attributes_are_dropped(path):
    write = parse_patch(Kind.USER, patch(replace(path, "x")))

    assert (write.edits, write.dropped) == ((), (path.partition(".")[0],))
