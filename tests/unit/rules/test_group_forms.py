"""The PATCH forms of groups: `idp-dialects.md` section 3.2, by number."""

from __future__ import annotations

import pytest

from relay.errors import Refused
from relay.rules.dialect import parse_patch
from relay.rules.types import AttributeEdit, EditOp, Field, Kind, MemberEdit, MemberOp

ADD, REMOVE, REPLACE = MemberOp.ADD, MemberOp.REMOVE, MemberOp.REPLACE


def patch(*operations: dict) -> dict:
    return {"Operations": list(operations)}


def op(verb: str, path: str | None = "members", **rest: object) -> dict:
    return {"op": verb} | ({"path": path} if path else {}) | rest


def by_id(member: str) -> str:
    return f'members[value eq "{member}"]'


ROSTERS = {
    "G1": (patch(op("Add", value=[{"$ref": None, "value": "a"}])), [(ADD, "a")]),
    "G2": (
        patch(op("add", value=[{"value": "a"}, {"value": "b", "type": "User"}])),
        [(ADD, "a", "b")],
    ),
    "G3": (patch(op("add", value=[{"value": "a", "display": "x"}])), [(ADD, "a")]),
    "G4": (patch(*[op("add", value=[{"value": m}]) for m in "aba"]), [(ADD, "a", "b")]),
    "G5": (
        patch(op("Remove", value=[{"$ref": None, "value": "a"}, {"value": "b"}])),
        [(REMOVE, "a", "b")],
    ),
    "G5 one object": (patch(op("Remove", value={"value": "a"})), [(REMOVE, "a")]),
    "G5 ids alone": (patch(op("Remove", value=["a", "b"])), [(REMOVE, "a", "b")]),
    "G5 empty": (patch(op("Remove", value=[])), []),
    "G5 wrapped": (patch(op("remove", value={"members": [{"value": "a"}]})), [(REMOVE, "a")]),
    "G5 wrapped null": (patch(op("remove", value={"members": None})), []),
    "G5 without a path": (
        patch(op("remove", None, value={"Members": [{"value": "a"}]})),
        [(REMOVE, "a")],
    ),
    "G5 without a path, null": (patch(op("remove", None, value={"members": None})), []),
    "G6": (patch(op("remove", by_id("a"))), [(REMOVE, "a")]),
    "G6 other case": (patch(op("Remove", 'Members[Value EQ "a"]')), [(REMOVE, "a")]),
    "G6 with its type": (
        patch(op("remove", 'members[value eq "a" and type eq "User"]')),
        [(REMOVE, "a")],
    ),
    "G7": (patch(op("remove", by_id("a"), value=[{"value": "a"}])), [(REMOVE, "a")]),
    "G8": (patch(op("remove", 'members[value eq "a" or value eq "b"]')), [(REMOVE, "a", "b")]),
    "G9": (patch(op("remove")), [(REPLACE,)]),
    "G9 null": (patch(op("remove", value=None)), [(REPLACE,)]),
    "G10": (patch(op("replace", value=[{"value": "a", "display": "x"}])), [(REPLACE, "a")]),
    "G11": (patch(op("replace", value=[])), [(REPLACE,)]),
    "G12": (patch(op("Replace", value=None)), [(REPLACE,)]),
    "G13": (
        patch(
            op("replace", None, value={"id": "g", "displayName": "n", "members": [{"value": "a"}]})
        ),
        [(REPLACE, "a")],
    ),
    "G19": (patch(op("add", None, value={"members": [{"value": "a"}]})), [(ADD, "a")]),
    "G20": (patch(op("add", value={"members": [{"value": "a"}]})), [(ADD, "a")]),
    "G20 one": (patch(op("add", value={"members": {"value": "a"}})), [(ADD, "a")]),
    "G21": (
        patch(op("remove", by_id("a")), op("add", value=[{"value": "b"}])),
        [(REMOVE, "a"), (ADD, "b")],
    ),
    "G22": (
        patch(op("add", value=[{"value": "a"}]), op("remove", by_id("a"))),
        [(ADD, "a"), (REMOVE, "a")],
    ),
    "G23": (
        patch(*[op("remove", by_id(str(n))) for n in range(1000)]),
        [(REMOVE, *map(str, range(1000)))],
    ),
    "G24": (
        patch(
            op(
                "replace",
                None,
                value={"schemas": ["s"], "meta": {}, "members": [], "displayName": "n"},
            )
        ),
        [(REPLACE,)],
    ),
    "G25": (patch(op("add", by_id("a"))), [(ADD, "a")]),
    "G25 as a key": (patch(op("add", None, value={by_id("a"): None})), [(ADD, "a")]),
    "members null in an object says nothing": (
        patch(op("replace", None, value={"members": None})),
        [],
    ),
    "a replaced member": (
        patch(op("replace", by_id("a"), value=[{"value": "b"}])),
        [(REMOVE, "a"), (ADD, "b")],
    ),
    "a member replaced by nothing": (patch(op("replace", by_id("a"))), [(REMOVE, "a")]),
    "members.value": (patch(op("add", "members.value", value="a")), [(ADD, "a")]),
    "members.value taken": (patch(op("remove", "members.value", value=["a"])), [(REMOVE, "a")]),
    "members.value as a key": (patch(op("add", None, value={"members.value": "a"})), [(ADD, "a")]),
    "a member's display": (patch(op("replace", by_id("a") + ".display", value="x")), []),
    "members.display as a key": (patch(op("replace", None, value={"members.display": "x"})), []),
    "a roster set late hides what was before": (
        patch(op("add", value=["a"]), op("replace", value=["b"]), op("add", value=["c"])),
        [(REPLACE, "b"), (ADD, "c")],
    ),
    "value in another case": (patch(op("add", value=[{"Value": "a"}])), [(ADD, "a")]),
}


@pytest.mark.parametrize(("body", "expected"), ROSTERS.values(), ids=ROSTERS)
def test_each_form_changes_the_roster_its_sender_means(body, expected):
    steps = tuple(MemberEdit(step[0], tuple(step[1:])) for step in expected)

    assert parse_patch(Kind.GROUP, body).members == steps


def test_a_value_array_removal_never_empties_the_group():
    for value in ([], {"members": []}, [{"value": "a"}], "a", {"value": "a"}, {"members": None}):
        for path in ("members", "Members", None):
            rest = {"members": value} if path is None else value
            edits = parse_patch(Kind.GROUP, patch(op("Remove", path, value=rest))).members
            assert all(edit.op is REMOVE for edit in edits)


NAMES = {
    "G13": ROSTERS["G13"][0],
    "G14": patch(op("replace", None, value={"id": "g", "displayName": "n"})),
    "G15": patch(op("Replace", "displayName", value="n")),
    "G16": patch(op("replace", None, value={"displayName": "n"})),
    "G17": patch(op("replace", None, value={"schemas": ["s"], "displayName": "n", "id": "g"})),
    "G24": ROSTERS["G24"][0],
}


@pytest.mark.parametrize("body", NAMES.values(), ids=NAMES)
def test_each_form_of_a_rename_sets_the_name_alone(body):
    write = parse_patch(Kind.GROUP, body)

    assert write.edits == (AttributeEdit(EditOp.SET, ("displayName",), "n"),)
    assert write.written == {Field.NAME}


@pytest.mark.parametrize(
    "body",
    [
        patch(op("Replace", "externalId", value="e")),
        patch(op("replace", None, value={"externalId": "e"})),
        patch(op("add", "EXTERNALID", value=["e"])),
    ],
    ids=["G18 by path", "G18 without a path", "G18 add"],
)
def test_each_form_of_an_external_id_sets_it(body):
    write = parse_patch(Kind.GROUP, body)

    assert [(edit.path, edit.value) for edit in write.edits] == [(("externalId",), "e")]
    assert write.written == {Field.EXTERNAL_ID}


@pytest.mark.parametrize(
    ("operation", "scim_type"),
    [
        (op("remove", None), "noTarget"),
        (op("remove", None, value={"displayName": "n"}), "noTarget"),
        (op("add", value=[{"display": "x"}]), "invalidValue"),
        (op("add", value=[{"value": ""}]), "invalidValue"),
        (op("add", value=[{"value": 7}]), "invalidValue"),
        (op("add", value=[None]), "invalidValue"),
        (op("remove", value={}), "invalidValue"),
        (op("remove", value=""), "invalidValue"),
        (op("remove", "members.value"), "invalidValue"),
        (op("replace"), "invalidValue"),
        (op("add"), "invalidValue"),
        (op("remove", 'members[value ne "a"]'), "invalidFilter"),
        (op("remove", 'members[display eq "a"]'), "invalidFilter"),
        (op("remove", 'members[value eq "a" and value eq "b"]'), "invalidFilter"),
        (op("remove", 'members[value eq ""]'), "invalidFilter"),
        (op("remove", "members[value pr]"), "invalidFilter"),
    ],
)
def test_a_roster_that_names_nobody_clearly_is_refused(operation, scim_type):
    with pytest.raises(Refused) as refused:
        parse_patch(Kind.GROUP, patch(operation))

    assert (refused.value.status, refused.value.scim_type) == (400, scim_type)


def test_paths_too_long_in_all_are_refused():
    path = "members[" + " or ".join(f"value eq m{number}" for number in range(90)) + "]"
    with pytest.raises(Refused, match="1000000 characters"):
        parse_patch(Kind.GROUP, patch(*[op("remove", path)] * (1_000_000 // len(path) + 1)))


def test_clearing_the_name_of_a_group_is_ignored():
    write = parse_patch(Kind.GROUP, patch(op("remove", "displayName")))

    assert (write.edits, write.dropped) == ((), ("displayName",))


def test_a_group_knows_no_attribute_of_users():
    body = patch(op("replace", None, value={"active": False, "userName": "x", "manager": "m"}))

    assert parse_patch(Kind.GROUP, body).dropped == ("active", "userName", "manager")
