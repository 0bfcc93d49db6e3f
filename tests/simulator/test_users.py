"""The contract's section *Users*, rule by rule."""

from __future__ import annotations

import uuid

import pytest

EMAILS = [{"value": "ada@example.com"}]


async def test_a_created_user_is_returned_in_exactly_tfes_shape(call):
    body = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "Ada@Example.com",
        "externalId": "00u1",
        "name": {"givenName": "Ada", "familyName": "Lovelace"},
        "title": "Countess",
        "emails": [{"value": "first@x.com"}, {"value": "ada@x.com", "primary": True}],
    }
    answer = await call("POST", "/Users", body)

    ident = answer.json.pop("id")
    stamp = answer.json["meta"].pop("created")
    assert str(uuid.UUID(ident)) == ident
    assert answer.json["meta"].pop("lastModified") == stamp
    assert stamp.endswith("Z")
    assert answer.status == 201
    assert answer.reply.headers["Content-Type"] == "application/scim+json"
    assert answer.json == {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "externalId": "00u1",
        "userName": "Ada@Example.com",
        "name": {"formatted": "ada"},
        "emails": [{"value": "ada@x.com", "primary": True}],
        "active": True,
        "meta": {"resourceType": "User"},
    }


async def test_without_a_primary_address_the_first_is_kept(call):
    answer = await call(
        "POST", "/Users", {"userName": "a", "emails": [{"value": "1@x"}, {"value": "2@x"}]}
    )

    assert answer.json["emails"] == [{"value": "1@x", "primary": True}]


@pytest.mark.parametrize(
    "body",
    [
        {"emails": EMAILS},
        {"userName": "", "emails": EMAILS},
        {"userName": 7, "emails": EMAILS},
        {"userName": "ada"},
        {"userName": "ada", "emails": []},
        {"userName": "ada", "emails": "ada@example.com"},
        {"userName": "ada", "emails": [{"type": "work"}]},
        {"userName": "ada", "emails": ["ada@example.com"]},
        {"userName": "ada", "emails": [{"value": "a@x", "primary": "true"}]},
        {"userName": "ada", "emails": EMAILS, "active": "True"},
        {"userName": "ada", "emails": EMAILS, "active": 1},
        {"userName": "ada", "emails": EMAILS, "externalId": 1},
    ],
)
async def test_a_user_that_lacks_something_or_has_a_wrong_type_is_refused(call, tfe, body):
    created = await call("POST", "/Users", body)
    ident = await call.user("bob")
    replaced = await call("PUT", f"/Users/{ident}", body)

    assert created.error == (400, "invalidValue")
    assert replaced.error == (400, "invalidValue")
    assert len(tfe.directory.users) == 1


async def test_a_user_can_be_created_suspended(call, tfe):
    ident = await call.user(active=False)

    answer = await call("GET", f"/Users/{ident}")
    assert answer.json["active"] is False
    assert tfe.directory.accounts.get("ada").suspended


@pytest.mark.parametrize("name", ["ada", "ADA", "Ada"])
async def test_a_user_name_is_unique_without_regard_to_case(call, name):
    await call.user("ada")
    other = await call.user("bob")

    emails = [{"value": "other@x"}]
    created = await call("POST", "/Users", {"userName": name, "emails": emails})
    put = await call("PUT", f"/Users/{other}", {"userName": name, "emails": emails})
    patched = await call.patch(
        f"/Users/{other}", {"op": "Replace", "path": "userName", "value": name}
    )

    assert [created.error, put.error, patched.error] == [(409, "uniqueness")] * 3


async def test_a_user_may_change_the_capitals_of_its_own_name(call):
    ident = await call.user("ada")

    answer = await call.patch(
        f"/Users/{ident}", {"op": "Replace", "path": "userName", "value": "ADA"}
    )

    assert (answer.status, answer.json["userName"]) == (200, "ADA")


async def test_the_manual_user_of_the_same_address_is_linked(call, tfe):
    tfe.directory.accounts.add_manual("ada@EXAMPLE.com", "countess")

    ident = await call.user("ada")

    answer = await call("GET", f"/Users/{ident}")
    assert answer.json["name"] == {"formatted": "countess"}
    assert len(tfe.directory.accounts.all()) == 1


async def test_a_put_without_active_leaves_it_and_without_external_id_clears_it(call):
    ident = await call.user(active=False, externalId="x")

    answer = await call("PUT", f"/Users/{ident}", {"userName": "eve", "emails": EMAILS})

    assert answer.status == 200
    assert (answer.json["active"], answer.json["userName"]) == (False, "eve")
    assert "externalId" not in answer.json


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_an_unknown_user_is_a_404(call, method):
    body = {"userName": "a", "emails": EMAILS, "Operations": [{"op": "Remove"}]}
    answer = await call(method, "/Users/none", body)

    assert answer.status == 404
    assert answer.json["status"] == "404"
    assert answer.json["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert "none" in answer.json["detail"]


PATCHES = [
    ({"op": "Replace", "path": "active", "value": False}, {"active": False}),
    ({"op": "replace", "path": "active", "value": False}, {"active": False}),
    ({"op": "Add", "path": "active", "value": False}, {"active": False}),
    ({"op": "Replace", "path": "userName", "value": "eve"}, {"userName": "eve"}),
    ({"op": "add", "path": "externalId", "value": "y"}, {"externalId": "y"}),
    (
        {"op": "Replace", "path": "emails", "value": [{"value": "n@x"}]},
        {"emails": [{"value": "n@x", "primary": True}]},
    ),
    (
        {"op": "Replace", "value": {"active": False, "userName": "eve"}},
        {"active": False, "userName": "eve"},
    ),
    ({"op": "Add", "value": {"externalId": "y"}}, {"externalId": "y"}),
    ({"op": "Remove", "path": "externalId"}, {"externalId": None}),
    ({"op": "Replace", "path": "externalId", "value": None}, {"externalId": None}),
]


@pytest.mark.parametrize(("operation", "changed"), PATCHES)
async def test_the_documented_patch_forms_change_what_they_say_and_nothing_else(
    call, clock, operation, changed
):
    ident = await call.user(externalId="x")
    before = (await call("GET", f"/Users/{ident}")).json
    clock.turn(5)

    answer = await call.patch(f"/Users/{ident}", operation)

    after = {**before, **changed, "meta": answer.json["meta"]}
    assert answer.status == 200
    assert {name: value for name, value in after.items() if value is not None} == answer.json
    assert answer.json["meta"]["lastModified"] > before["meta"]["lastModified"]
    assert (await call("GET", f"/Users/{ident}")).json == answer.json


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "Remove", "path": "userName"},
        {"op": "Remove", "path": "emails"},
        {"op": "Remove", "path": "active"},
        {"op": "Remove"},
        {"op": "Remove", "value": {"externalId": "x"}},
        {"op": "Replace", "path": "userName", "value": None},
        {"op": "Replace", "path": "userName", "value": ""},
        {"op": "Replace", "path": "emails", "value": []},
        {"op": "Replace", "path": "active", "value": None},
        {"op": "Replace", "value": {"userName": None, "emails": [], "active": None}},
    ],
)
async def test_attempts_to_clear_what_tfe_must_have_are_ignored(call, clock, operation):
    ident = await call.user(externalId="x")
    before = (await call("GET", f"/Users/{ident}")).json
    clock.turn(5)

    answer = await call.patch(f"/Users/{ident}", operation)

    assert (200, before) == (answer.status, answer.json)


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "Replace", "path": "name.givenName", "value": "A"},
        {"op": "Replace", "path": "displayName", "value": "A"},
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "n@x"},
        {"op": "Replace", "path": "username", "value": "eve"},
        {"op": "Replace", "path": "", "value": {"active": False}},
        {"op": "Replace", "path": 5, "value": "eve"},
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "Replace", "path": "userName", "value": 5},
        {"op": "Replace", "path": "emails", "value": [{"type": "work"}]},
        {"op": "Replace", "path": "emails", "value": {"value": "n@x"}},
        {"op": "Replace", "value": {"active": False, "title": "x"}},
        {"op": "Replace", "value": {"emails[0].value": "n@x"}},
        {"op": "Replace", "value": "active"},
        {"op": "Add"},
        {"op": "Remove", "path": "title"},
        {"op": "Move", "path": "active"},
        {"op": "REPLACE", "path": "active", "value": False},
        {"path": "active", "value": False},
        "Replace",
    ],
)
async def test_any_other_patch_form_is_a_400_and_changes_nothing(call, operation):
    ident = await call.user()
    before = (await call("GET", f"/Users/{ident}")).json
    harmless = {"op": "Replace", "path": "userName", "value": "eve"}

    answer = await call.patch(f"/Users/{ident}", harmless, operation)

    assert answer.status == 400
    assert (await call("GET", f"/Users/{ident}")).json == before


async def test_a_deleted_user_leaves_its_groups_and_its_tfe_user_suspended(call, tfe):
    ada, bob = await call.user("ada"), await call.user("bob")
    groups = [await call.group(f"g{n}", [ada, bob]) for n in range(3)]

    answer = await call("DELETE", f"/Users/{ada}")

    assert (answer.status, answer.reply.body) == (204, b"")
    assert [[bob]] * 3 == [await call.members(group) for group in groups]
    assert tfe.directory.accounts.get("ada").suspended
    assert (await call("DELETE", f"/Users/{ada}")).status == 404


async def test_a_user_created_again_gets_a_new_id_and_its_old_tfe_user(call, tfe):
    first = await call.user("ada")
    await call("DELETE", f"/Users/{first}")

    second = await call.user("ADA")

    assert first != second
    assert not tfe.directory.accounts.get("ada").suspended
