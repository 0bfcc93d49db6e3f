"""SCIM on the wire: JSON of resources, lists and errors, and nothing about what is allowed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from relay.rules.contract import ERROR_SCHEMA, GROUP_SCHEMA, LIST_SCHEMA, USER_SCHEMA
from relay.simulator.errors import ScimError, bad_syntax

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relay.rules.types import Json, JsonObject
    from relay.simulator.directory import Directory
    from relay.simulator.records import Group, Stamp, User


def parse_object(body: bytes) -> JsonObject:
    """The body as a JSON object; 400 `invalidSyntax` if it is anything else."""
    try:
        parsed: Json = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_syntax(f"malformed JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise bad_syntax("the body is not a JSON object")
    return parsed


def error_json(error: ScimError) -> JsonObject:
    """RFC 7644 section 3.12; the status is a string."""
    answer: JsonObject = {"schemas": [ERROR_SCHEMA], "status": str(error.status)}
    if error.scim_type is not None:
        answer["scimType"] = error.scim_type
    answer["detail"] = error.detail
    return answer


def list_json(total: int, start: int, resources: Sequence[JsonObject]) -> JsonObject:
    """RFC 7644 section 3.4.2."""
    return {
        "schemas": [LIST_SCHEMA],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": len(resources),
        "Resources": list(resources),
    }


def user_json(user: User) -> JsonObject:
    """A user as TFE returns it: one address, and the formatted name is TFE's own username."""
    answer: JsonObject = {"schemas": [USER_SCHEMA], "id": user.stamp.id}
    if user.fields.external_id is not None:
        answer["externalId"] = user.fields.external_id
    answer["userName"] = user.fields.user_name
    answer["name"] = {"formatted": user.account}
    answer["emails"] = [{"value": user.fields.email, "primary": True}]
    answer["active"] = user.fields.active
    answer["meta"] = _meta("User", user.stamp)
    return answer


def group_json(group: Group, directory: Directory, *, members: bool = True) -> JsonObject:
    """A group as TFE returns it; a member's `display` is its `userName` now."""
    answer: JsonObject = {"schemas": [GROUP_SCHEMA], "id": group.stamp.id}
    if group.fields.external_id is not None:
        answer["externalId"] = group.fields.external_id
    answer["displayName"] = group.fields.display_name
    if members:
        answer["members"] = [
            {"value": ident, "display": directory.user(ident).name}
            for ident in group.fields.members
        ]
    answer["meta"] = _meta("Group", group.stamp)
    return answer


def timestamp(wall: float) -> str:
    """Seconds since the epoch as an ISO 8601 instant in UTC."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _meta(resource_type: str, stamp: Stamp) -> JsonObject:
    return {
        "resourceType": resource_type,
        "created": timestamp(stamp.created),
        "lastModified": timestamp(stamp.modified),
    }
