"""The contract's section *Groups*, rule by rule."""

from __future__ import annotations

from dataclasses import replace

import pytest


@pytest.fixture
async def people(call):
    return [await call.user(name) for name in ("ada", "bob", "eve")]


def add(*ids):
    return {"op": "Add", "path": "members", "value": [{"value": ident} for ident in ids]}


def remove(ident):
    return {"op": "Remove", "path": f'members[value eq "{ident}"]'}


async def test_a_created_group_is_returned_in_exactly_tfes_shape(call, people):
    body = {"displayName": "Crew", "externalId": "g1", "members": [{"value": people[0]}]}

    answer = await call("POST", "/Groups", body)

    assert answer.status == 201
    assert answer.json == {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "id": answer.json["id"],
        "externalId": "g1",
        "displayName": "Crew",
        "members": [{"value": people[0], "display": "ada"}],
        "meta": answer.json["meta"],
    }
    assert {"resourceType", "created", "lastModified"} == answer.json["meta"].keys()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"displayName": ""},
        {"displayName": 3},
        {"displayName": "g", "members": "x"},
        {"displayName": "g", "members": ["x"]},
        {"displayName": "g", "members": [{"display": "x"}]},
    ],
)
async def test_a_malformed_group_is_a_400(call, body):
    assert (await call("POST", "/Groups", body)).error == (400, "invalidValue")


async def test_a_group_name_is_unique_without_regard_to_case(call):
    await call.group("crew")
    other = await call.group("staff")
    name = {"displayName": "CREW"}

    created = await call("POST", "/Groups", name)
    put = await call("PUT", f"/Groups/{other}", name)
    patched = await call.patch(f"/Groups/{other}", {"op": "Replace", "value": name})

    assert [created.error, put.error, patched.error] == [(409, "uniqueness")] * 3


async def test_a_reserved_name_is_a_409(call, tfe):
    tfe.behave(replace(tfe.behaviour, reserved_group_names=frozenset({"owners"})))

    assert (await call("POST", "/Groups", {"displayName": "Owners"})).error == (409, "uniqueness")


async def test_an_unknown_member_is_a_404_wherever_it_is_named_and_nothing_changes(call, people):
    group = await call.group("crew", people[:1])
    nested = [{"value": group}]

    answers = [
        await call("POST", "/Groups", {"displayName": "x", "members": nested}),
        await call("PUT", f"/Groups/{group}", {"displayName": "new", "members": nested}),
        await call.patch(f"/Groups/{group}", add(people[1]), add("none")),
        await call.patch(f"/Groups/{group}", {"op": "Replace", "path": "members", "value": nested}),
    ]

    assert [answer.status for answer in answers] == [404] * 4
    assert people[:1] == await call.members(group)
    assert (await call("GET", "/Groups", count=0)).json["totalResults"] == 1


async def test_a_put_is_the_whole_roster_and_leaves_what_it_does_not_name(call, people):
    group = await call.group("crew", people, externalId="x")

    left = await call("PUT", f"/Groups/{group}", {"displayName": "staff"})
    one = await call("PUT", f"/Groups/{group}", {"members": [{"value": people[2]}]})
    none = await call("PUT", f"/Groups/{group}", {"members": []})

    assert [len(answer.json["members"]) for answer in (left, one, none)] == [3, 1, 0]
    assert (none.json["displayName"], none.json["externalId"]) == ("staff", "x")


async def test_one_add_takes_any_number_of_members_and_repeats_are_harmless(call, people):
    group = await call.group("crew", people[:1])

    answer = await call.patch(f"/Groups/{group}", add(*people, *people))

    assert answer.status == 200
    assert people == await call.members(group)


async def test_a_removal_names_one_member_and_that_it_was_none_is_no_error(call, people):
    group = await call.group("crew", people[:2])

    answer = await call.patch(
        f"/Groups/{group}", remove(people[0]), remove(people[2]), remove("no")
    )

    assert answer.status == 200
    assert [people[1]] == await call.members(group)


async def test_replace_sets_name_external_id_and_members_with_or_without_a_path(call, people):
    group = await call.group("crew", people)
    one = [{"value": people[0]}]

    await call.patch(
        f"/Groups/{group}",
        {"op": "Replace", "path": "displayName", "value": "staff"},
        {"op": "replace", "path": "members", "value": one},
        {"op": "Replace", "value": {"externalId": "y"}},
    )
    first = (await call("GET", f"/Groups/{group}")).json
    await call.patch(
        f"/Groups/{group}",
        {"op": "Replace", "value": {"displayName": "ops", "externalId": None, "members": []}},
    )
    second = (await call("GET", f"/Groups/{group}")).json

    assert (first["displayName"], first["externalId"], len(first["members"])) == ("staff", "y", 1)
    assert (second["displayName"], second["members"]) == ("ops", [])
    assert "externalId" not in second


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "Remove", "path": "members"},
        {"op": "Remove", "path": "members", "value": [{"value": "x"}]},
        {"op": "Remove", "path": "externalId"},
        {"op": "Remove", "path": "displayName"},
        {"op": "Remove"},
        {"op": "Remove", "path": 'members[value eq "a" or value eq "b"]'},
        {"op": "Remove", "path": 'members[display eq "ada"]'},
        {"op": "Remove", "path": 'members[value eq "\\q"]'},
        {"op": "Add", "path": "displayName", "value": "x"},
        {"op": "Add", "value": {"members": []}},
        {"op": "Add", "path": "members", "value": {"value": "x"}},
        {"op": "Add", "path": "members"},
        {"op": "Replace", "path": "displayName", "value": ""},
        {"op": "Replace", "path": "title", "value": "x"},
        {"op": "Replace", "value": {"id": "x", "displayName": "y"}},
        {"op": "Replace", "value": []},
        {"op": "Replace", "path": "members", "value": None},
    ],
)
async def test_any_other_patch_form_is_a_400_and_changes_nothing(call, people, operation):
    group = await call.group("crew", people[:1])

    answer = await call.patch(f"/Groups/{group}", add(people[1]), operation)

    assert answer.status == 400
    assert people[:1] == await call.members(group)


async def test_deleting_a_group_is_a_204_whether_or_not_it_exists(call, people):
    group = await call.group("crew", people)

    answers = [await call("DELETE", f"/Groups/{ident}") for ident in (group, group, "none")]

    assert [answer.status for answer in answers] == [204] * 3
    assert (await call("GET", f"/Groups/{group}")).status == 404
    assert (await call("DELETE", f"/Users/{people[0]}")).status == 204


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
async def test_an_unknown_group_is_a_404(call, method):
    body = {"displayName": "a", "Operations": [{"op": "Replace", "value": {}}]}

    assert (await call(method, "/Groups/none", body)).status == 404


async def test_members_can_be_left_out_of_reads(call, people):
    group = await call.group("crew", people)

    one = await call("GET", f"/Groups/{group}", excludedAttributes="members")
    listed = await call("GET", "/Groups", excludedAttributes="externalId, members")
    whole = await call("GET", "/Groups")

    assert "members" not in one.json
    assert "members" not in listed.json["Resources"][0]
    assert len(whole.json["Resources"][0]["members"]) == 3


async def test_a_member_is_displayed_by_its_user_name_of_now(call, people):
    group = await call.group("crew", people[:1])
    await call.patch(f"/Users/{people[0]}", {"op": "Replace", "path": "userName", "value": "lady"})

    answer = await call("GET", f"/Groups/{group}")

    assert answer.json["members"] == [{"value": people[0], "display": "lady"}]


async def test_a_put_sets_the_external_id_it_names_and_clears_it_with_null(call):
    group = await call.group("crew", externalId="x")

    named = await call("PUT", f"/Groups/{group}", {"externalId": "y"})
    cleared = await call("PUT", f"/Groups/{group}", {"externalId": None})

    assert named.json["externalId"] == "y"
    assert "externalId" not in cleared.json


async def test_a_patch_that_changes_nothing_leaves_last_modified(call, clock, people):
    group = await call.group("crew", people)
    before = (await call("GET", f"/Groups/{group}")).json
    clock.turn(5)

    answer = await call.patch(f"/Groups/{group}", add(*people))

    assert (answer.status, answer.json) == (200, before)
