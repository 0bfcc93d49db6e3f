"""Attribute names and URNs, however they are spelt."""

from __future__ import annotations

import pytest

from relay.rules.contract import ENTERPRISE_SCHEMA as E
from relay.rules.contract import GROUP_SCHEMA, USER_SCHEMA
from relay.rules.names import is_enterprise, resolve, schema_of
from relay.rules.types import Kind

OLD = "urn:scim:schemas:core:1.0"
SPELLINGS = {
    "userName": ("userName",),
    "USERNAME": ("userName",),
    f"{USER_SCHEMA}:username": ("userName",),
    f"{USER_SCHEMA.upper()}:userName": ("userName",),
    f"{OLD}:userName": ("userName",),
    "Name.GivenName": ("name", "givenName"),
    f"{USER_SCHEMA}:name.familyname": ("name", "familyName"),
    "emails.value": ("emails", "value"),
    E: (E,),
    E.lower(): (E,),
    "urn:scim:schemas:extension:enterprise:1.0": (E,),
    f"{E}:Department": (E, "department"),
    "urn:scim:schemas:extension:enterprise:1.0:department": (E, "department"),
    f"{E}:manager.displayname": (E, "manager", "displayName"),
    "manager": (E, "manager"),
    "manager.value": (E, "manager", "value"),
}
UNKNOWN = [
    "",
    ".",
    "colour",
    "password",
    f"{USER_SCHEMA}:password",
    "userName.value",
    "name.givenName.x",
    "name.",
    "urn:",
    "urn:example:custom:1.0:userName",
    f"{E}:salary",
    f"{USER_SCHEMA}:department",
]


@pytest.mark.parametrize(("text", "expected"), SPELLINGS.items())
def test_a_known_attribute_is_found_in_any_spelling(text, expected):
    found = resolve(Kind.USER, text)

    assert found is not None
    assert (*found.path, *([found.sub.name] if found.sub else [])) == expected


@pytest.mark.parametrize("text", UNKNOWN)
def test_an_unknown_attribute_is_not_found(text):
    assert resolve(Kind.USER, text) is None


@pytest.mark.parametrize("text", [E, f"{E}:manager", "manager", "userName"])
def test_a_group_has_no_attributes_of_users(text):
    assert resolve(Kind.GROUP, text) is None


def test_urns_are_told_apart():
    assert is_enterprise(E.upper())
    assert not is_enterprise(USER_SCHEMA)
    assert (schema_of(Kind.USER), schema_of(Kind.GROUP)) == (USER_SCHEMA, GROUP_SCHEMA)
