"""The request forms TFE documents, and nothing else (contract, sections *Users* and *Groups*).

In charge of turning fields and ids into PATCH operations and POST bodies, and of knowing how many
bytes they take on the wire. Verbs are capitalised, as TFE's own examples are.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import orjson

from relay.rules.contract import GROUP_SCHEMA, PATCH_SCHEMA, USER_SCHEMA
from relay.rules.types import Field, Fields, Json, JsonObject, Kind

ORDER: Final = (Field.NAME, Field.EXTERNAL_ID, Field.ACTIVE, Field.EMAIL)
KEPT: Final = {
    Kind.USER: frozenset(ORDER),
    Kind.GROUP: frozenset({Field.NAME, Field.EXTERNAL_ID}),
}
"""The fields TFE keeps of each kind."""


def encoded_size(value: Json) -> int:
    """How many bytes the value takes on the wire; the target client encodes with orjson too."""
    return len(orjson.dumps(value))


def resource_path(kind: Kind, target_id: str) -> str:
    """The path of one resource, its id percent-encoded.

    Raises:
        ValueError: the id is empty or a dot segment, which a URL cannot carry (RFC 3986
            section 5.2.4): it would address the collection.
    """
    if target_id in {"", ".", ".."}:
        raise ValueError(f"cannot address a {kind.value} by the id {target_id!r}")
    return f"/{kind.plural}/{quote(target_id, safe='')}"


def attributes(kind: Kind, desired: Fields, fields: frozenset[Field]) -> JsonObject:
    """The named fields as an object of SCIM attributes, in a fixed order.

    A user's `externalId` that is to be cleared is left out: it takes a `Remove` of its own. A
    group has no such operation documented; there, null says *unassigned* (RFC 7643 section 2.5).
    A user's `active` and address cannot be cleared in TFE, so None is left out as well.
    """
    values: JsonObject = {}
    for field in ORDER:
        if field in fields & KEPT[kind]:
            name, value = _attribute(kind, desired, field)
            if value is not None or kind is Kind.GROUP:
                values[name] = value
    return values


def _attribute(kind: Kind, desired: Fields, field: Field) -> tuple[str, Json]:
    """The SCIM name and value of one field; the value None if it is unset."""
    match field:
        case Field.NAME:
            return kind.name_attribute, desired.name
        case Field.EXTERNAL_ID:
            return "externalId", desired.external_id
        case Field.ACTIVE:
            return "active", desired.active
    email = desired.email
    return "emails", None if email is None else [{"value": email, "primary": True}]


def member_values(ids: tuple[str, ...] | list[str]) -> list[Json]:
    """Ids as `members[].value` objects."""
    return [{"value": member} for member in ids]


def replace(values: JsonObject) -> JsonObject:
    """A path-less `Replace` with an object of attributes."""
    return {"op": "Replace", "value": values}


def remove_external_id() -> JsonObject:
    """The one `Remove` TFE knows for users."""
    return {"op": "Remove", "path": "externalId"}


def remove_member(member: str) -> JsonObject:
    """`Remove members[value eq "id"]`: one member an operation.

    The id is quoted as a JSON string, which is what a filter's value is (RFC 7644 section
    3.4.2.2), so that no id can end the filter early.
    """
    literal = orjson.dumps(member).decode()
    return {"op": "Remove", "path": f"members[value eq {literal}]"}


def add_members(ids: tuple[str, ...] | list[str]) -> JsonObject:
    """`Add members`: any number in one operation."""
    return {"op": "Add", "path": "members", "value": member_values(ids)}


def patch(operations: list[JsonObject]) -> JsonObject:
    """A PATCH body (RFC 7644 section 3.5.2)."""
    return {"schemas": [PATCH_SCHEMA], "Operations": list(operations)}


def post(kind: Kind, desired: Fields, members: tuple[str, ...] = ()) -> JsonObject:
    """A POST body; an unset `externalId` and an empty roster are left out.

    Raises:
        ValueError: a user without an address, which TFE answers with 400; the front refuses it.
    """
    if kind is Kind.USER and desired.email is None:
        raise ValueError("cannot create a user without an address: TFE refuses it")
    values = attributes(kind, desired, KEPT[kind])
    if desired.external_id is None:
        values.pop("externalId", None)
    body: JsonObject = {"schemas": [USER_SCHEMA if kind is Kind.USER else GROUP_SCHEMA], **values}
    if members:
        body["members"] = member_values(members)
    return body
