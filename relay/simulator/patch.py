"""The PATCH forms TFE documents, and no others (contract, sections *Users* and *Groups*).

Pure: from fields and a body to fields. Whatever is not listed there is a 400.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import orjson

from relay.rules.contract import PATCH_SCHEMA
from relay.simulator.attributes import address, boolean, member_ids, optional_text, text
from relay.simulator.errors import ScimError, bad_syntax, bad_value

if TYPE_CHECKING:
    from relay.rules.types import Json, JsonObject
    from relay.simulator.records import GroupFields, UserFields
    from relay.simulator.roster import Roster

USER_PATHS: Final = ("active", "userName", "externalId", "emails")
GROUP_PATHS: Final = ("displayName", "externalId", "members")
_MEMBER_PATH: Final = re.compile(r'members\[value eq ("(?:[^"\\]|\\.)*")\]')


class Op(StrEnum):
    """The verbs; each is taken as documented (`Replace`) and in lower case (RFC 7644)."""

    ADD = "add"
    REMOVE = "remove"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; `path` is None for a path-less one."""

    op: Op
    path: str | None
    value: Json


def parse_operations(body: JsonObject, limit: int) -> list[Operation]:
    """The operations of a PATCH body.

    Raises:
        ScimError: 400 for another message, no operations, more than `limit` or a wrong verb.
    """
    schemas = body.get("schemas", [PATCH_SCHEMA])
    if not isinstance(schemas, list) or PATCH_SCHEMA not in schemas:
        raise bad_syntax("schemas does not name a PatchOp")
    operations = body.get("Operations")
    if not isinstance(operations, list) or not operations:
        raise bad_syntax("Operations must be an array that is not empty")
    if len(operations) > limit:
        raise bad_value(f"{len(operations)} operations, at most {limit} are allowed")
    return [_operation(raw) for raw in operations]


def patched_user(fields: UserFields, operations: list[Operation]) -> UserFields:
    """The fields after all operations; 400 if one of them is not supported."""
    for operation in operations:
        fields = _user_step(fields, operation)
    return fields


def patched_group(fields: GroupFields, roster: Roster, operations: list[Operation]) -> GroupFields:
    """The fields after all operations; 400, 404 (member) or 413 if one of them cannot be."""
    for operation in operations:
        fields = _group_step(fields, roster, operation)
    return replace(fields, members=roster.members)


def _operation(raw: Json) -> Operation:
    if not isinstance(raw, dict):
        raise bad_syntax("each operation must be an object")
    verb = raw.get("op")
    if not isinstance(verb, str) or verb not in {*Op, *(op.capitalize() for op in Op)}:
        raise bad_syntax(f"op {verb!r} is not Add, Remove or Replace")
    path = raw.get("path")
    if path is not None and not isinstance(path, str):
        raise ScimError(400, "path must be a string", "invalidPath")
    return Operation(Op(verb.lower()), path, raw.get("value"))


def _unsupported(operation: Operation) -> ScimError:
    path = "without a path" if operation.path is None else f"on {operation.path!r}"
    return ScimError(400, f"unsupported operation: {operation.op} {path}", "invalidPath")


def _user_step(fields: UserFields, operation: Operation) -> UserFields:
    match operation:
        case Operation(Op.REMOVE, None):
            return fields
        case Operation(Op.REMOVE, "externalId"):
            return replace(fields, external_id=None)
        case Operation(Op.REMOVE, path) if path in USER_PATHS:
            return fields
        case Operation(Op.ADD | Op.REPLACE, None, dict() as values):
            for name, value in values.items():
                fields = _set_user(fields, name, value)
            return fields
        case Operation(Op.ADD | Op.REPLACE, None):
            raise bad_value("a path-less operation needs an object")
        case Operation(Op.ADD | Op.REPLACE, str() as path) if path in USER_PATHS:
            return _set_user(fields, path, operation.value)
    raise _unsupported(operation)


def _set_user(fields: UserFields, name: str, value: Json) -> UserFields:
    """One attribute set; clearing what TFE must have is ignored (contract)."""
    match name:
        case "externalId":
            return replace(fields, external_id=optional_text(value, name))
        case "active" | "userName" | "emails" if value is None or value in ("", []):
            return fields
        case "active":
            return replace(fields, active=boolean(value, name))
        case "userName":
            return replace(fields, user_name=text(value, name))
        case "emails":
            return replace(fields, email=address(value))
    raise ScimError(400, f"unsupported attribute {name!r}", "invalidPath")


def _group_step(fields: GroupFields, roster: Roster, operation: Operation) -> GroupFields:
    match operation:
        case Operation(Op.ADD, "members"):
            roster.add(member_ids(operation.value))
            return fields
        case Operation(Op.REMOVE, str() as path) if member := _MEMBER_PATH.fullmatch(path):
            roster.remove(_unquoted(member[1]))
            return fields
        case Operation(Op.REPLACE, None, dict() as values):
            for name, value in values.items():
                fields = _set_group(fields, roster, name, value)
            return fields
        case Operation(Op.REPLACE, None):
            raise bad_value("a path-less Replace needs an object")
        case Operation(Op.REPLACE, str() as path) if path in GROUP_PATHS:
            return _set_group(fields, roster, path, operation.value)
    raise _unsupported(operation)


def _set_group(fields: GroupFields, roster: Roster, name: str, value: Json) -> GroupFields:
    match name:
        case "displayName":
            return replace(fields, display_name=text(value, name))
        case "externalId":
            return replace(fields, external_id=optional_text(value, name))
        case "members":
            roster.replace(member_ids(value))
            return fields
    raise ScimError(400, f"unsupported attribute {name!r}", "invalidPath")


def _unquoted(literal: str) -> str:
    try:
        return str(orjson.loads(literal))
    except orjson.JSONDecodeError as error:
        raise ScimError(400, f"malformed path value {literal}", "invalidPath") from error
