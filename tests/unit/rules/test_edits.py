"""Single steps on a resource: RFC 7644 section 3.5.2."""

from __future__ import annotations

import copy

import pytest

from relay.rules.attributes import MAX_ELEMENTS
from relay.rules.edits import applied
from relay.rules.types import AttributeEdit, EditOp

SET, ADD, REMOVE = EditOp.SET, EditOp.ADD, EditOp.REMOVE
WORK, HOME = (("type", "work"),), (("type", "home"),)
HOLDS = {
    "title": "Dr",
    "name": {"givenName": "A", "familyName": "B"},
    "urn:e": {"manager": {"value": "m"}},
    "emails": [{"value": "w", "type": "Work", "primary": True}, {"value": "h", "type": "home"}],
}
W, H = HOLDS["emails"]

STEPS = {
    "sets a scalar": (AttributeEdit(SET, ("title",), "Mr"), {"title": "Mr"}),
    "adds a scalar": (AttributeEdit(ADD, ("nickName",), "A"), {"nickName": "A"}),
    "removes a scalar": (AttributeEdit(REMOVE, ("title",)), {"title": None}),
    "removes what is not there": (AttributeEdit(REMOVE, ("nickName",)), {}),
    "sets a part": (
        AttributeEdit(SET, ("name", "givenName"), "C"),
        {"name": {"givenName": "C", "familyName": "B"}},
    ),
    "merges an object": (
        AttributeEdit(SET, ("name",), {"givenName": "C"}),
        {"name": {"givenName": "C", "familyName": "B"}},
    ),
    "makes an object for a part": (AttributeEdit(SET, ("x", "y"), 1), {"x": {"y": 1}}),
    "removes the last part and its object": (
        AttributeEdit(REMOVE, ("urn:e", "manager", "value")),
        {"urn:e": None},
    ),
    "sets an array": (
        AttributeEdit(SET, ("emails",), [{"value": "n"}]),
        {"emails": [{"value": "n"}]},
    ),
    "appends": (
        AttributeEdit(ADD, ("emails",), [{"value": "n"}]),
        {"emails": [W, H, {"value": "n"}]},
    ),
    "appends nothing twice": (AttributeEdit(ADD, ("emails",), [H]), {}),
    "hands the primary mark on": (
        AttributeEdit(ADD, ("emails",), [{"value": "n", "primary": True}]),
        {"emails": [W | {"primary": False}, H, {"value": "n", "primary": True}]},
    ),
    "appends to nothing": (
        AttributeEdit(ADD, ("roles",), [{"value": "r"}]),
        {"roles": [{"value": "r"}]},
    ),
    "sets a part of chosen elements": (
        AttributeEdit(SET, ("emails",), "n", HOME, "value"),
        {"emails": [W, H | {"value": "n"}]},
    ),
    "chooses without regard to case": (
        AttributeEdit(SET, ("emails",), "n", WORK, "value"),
        {"emails": [W | {"value": "n"}, H]},
    ),
    "sets chosen elements": (
        AttributeEdit(SET, ("emails",), {"display": "d"}, HOME),
        {"emails": [W, H | {"display": "d"}]},
    ),
    "makes the element it misses": (
        AttributeEdit(SET, ("emails",), "n", (("type", "other"), ("primary", "TRUE")), "value"),
        {"emails": [W, H, {"type": "other", "primary": True, "value": "n"}]},
    ),
    "makes the first element": (
        AttributeEdit(ADD, ("roles",), "r", (), "value"),
        {"roles": [{"value": "r"}]},
    ),
    "sets the preferred element": (
        AttributeEdit(SET, ("emails",), "n", (), "value"),
        {"emails": [W | {"value": "n"}, H]},
    ),
    "removes chosen elements": (AttributeEdit(REMOVE, ("emails",), None, HOME), {"emails": [W]}),
    "removes a part of an element": (
        AttributeEdit(REMOVE, ("emails",), None, HOME, "value"),
        {"emails": [W, {"type": "home"}]},
    ),
    "removes nothing it cannot find": (
        AttributeEdit(REMOVE, ("emails",), None, (("type", "other"),)),
        {},
    ),
}


@pytest.mark.parametrize(("edit", "expected"), STEPS.values(), ids=STEPS)
def test_one_step(edit, expected):
    before = copy.deepcopy(HOLDS)
    wanted = {key: value for key, value in (HOLDS | expected).items() if value is not None}

    assert applied(HOLDS, edit) == wanted
    assert before == HOLDS


def test_removing_every_element_removes_the_array():
    assert applied({"emails": [H]}, AttributeEdit(REMOVE, ("emails",), None, HOME)) == {}


def test_removing_the_only_part_removes_the_element():
    assert (
        applied({"roles": [{"value": "r"}]}, AttributeEdit(REMOVE, ("roles",), None, (), "value"))
        == {}
    )


def test_without_a_primary_element_the_first_is_preferred():
    edit = AttributeEdit(SET, ("roles",), "n", (), "value")

    assert applied({"roles": [{"value": "a"}, {"value": "b"}]}, edit) == {
        "roles": [{"value": "n"}, {"value": "b"}]
    }


def test_only_the_work_address_takes_an_element_without_a_type():
    edit = AttributeEdit(SET, ("emails",), "n", HOME, "value")

    assert applied({"emails": [{"value": "a"}]}, edit)["emails"] == [
        {"value": "a"},
        {"type": "home", "value": "n"},
    ]


def test_removing_the_work_address_spares_an_element_without_a_type():
    holds = {"emails": [{"value": "a"}]}

    assert applied(holds, AttributeEdit(REMOVE, ("emails",), None, WORK)) == holds


def test_an_array_stops_growing_and_keeps_the_newest():
    holds: dict = {}
    for number in range(MAX_ELEMENTS + 5):
        holds = applied(holds, AttributeEdit(ADD, ("roles",), [{"value": str(number)}]))
    holds = applied(holds, AttributeEdit(SET, ("roles",), "new", (("type", "t"),), "value"))

    assert len(holds["roles"]) == MAX_ELEMENTS
    assert holds["roles"][-1] == {"type": "t", "value": "new"}
