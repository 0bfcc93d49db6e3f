"""The wire forms of Microsoft Entra ID's default dialect, as its recorded requests show them.

Capitalised verbs, `"False"` as a string (form U1), an address by a filter path (U6), members with
`"$ref": null` (G1) and removals by an array of values (G5). TFE itself refuses some of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relay.cli.demo.script import Person, Team
    from relay.rules.types import Json, JsonObject

_CORE: Final = "urn:ietf:params:scim:schemas:core:2.0:"
_MESSAGE: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_ENTERPRISE: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
_MICROSOFT: Final = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"


def new_user(person: Person) -> JsonObject:
    """The body of `POST /Users`."""
    return {
        "schemas": [f"{_CORE}User", _ENTERPRISE],
        "externalId": person.key,
        "userName": person.user_name,
        "active": person.active,
        "displayName": person.user_name.partition("@")[0],
        "emails": [{"primary": True, "type": "work", "value": person.email}],
        "meta": {"resourceType": "User"},
        "roles": [],
    }


def new_group(team: Team) -> JsonObject:
    """The body of `POST /Groups`: never with members, they follow as PATCHes."""
    return {
        "schemas": [f"{_CORE}Group", _MICROSOFT],
        "externalId": team.key,
        "displayName": team.name,
        "meta": {"resourceType": "Group"},
    }


def add_members(ids: Iterable[str]) -> JsonObject:
    """Form G1 with several elements (G2)."""
    return _patch("Add", "members", [{"$ref": None, "value": ident} for ident in ids])


def remove_members(ids: Iterable[str]) -> JsonObject:
    """Form G5: read as *remove all* by a server that ignores the value."""
    return _patch("Remove", "members", [{"$ref": None, "value": ident} for ident in ids])


def deactivate() -> JsonObject:
    """Form U1: a boolean in a string."""
    return _patch("Replace", "active", "False")


def rename(attribute: str, name: str) -> JsonObject:
    """Forms U12 and G15: `userName` or `displayName` by its path."""
    return _patch("Replace", attribute, name)


def readdress(email: str) -> JsonObject:
    """Form U6: the work address by a filter path."""
    return _patch("Replace", 'emails[type eq "work"].value', email)


def _patch(verb: str, path: str, value: Json) -> JsonObject:
    operation: JsonObject = {"op": verb, "path": path, "value": value}
    return {"schemas": [_MESSAGE], "Operations": [operation]}
