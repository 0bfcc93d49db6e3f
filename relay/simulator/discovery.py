"""The discovery documents: what TFE says about itself (RFC 7643 sections 5 to 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.rules.contract import GROUP_SCHEMA, USER_SCHEMA
from relay.simulator.wire import list_json

if TYPE_CHECKING:
    from relay.rules.types import Json, JsonObject

_CORE = "urn:ietf:params:scim:schemas:core:2.0"


def document(path: str, max_page: int) -> JsonObject | None:
    """The document at a path such as `/Schemas`, or None if there is none."""
    match path:
        case "/ServiceProviderConfig":
            return _service_provider_config(max_page)
        case "/Schemas":
            return list_json(2, 1, [_user_schema(), _group_schema()])
        case "/ResourceTypes":
            return list_json(2, 1, [_resource_type("User"), _resource_type("Group")])
        case "/ResourceTypes/User":
            return _resource_type("User")
        case "/ResourceTypes/Group":
            return _resource_type("Group")
    return None


def _service_provider_config(max_page: int) -> JsonObject:
    return {
        "schemas": [f"{_CORE}:ServiceProviderConfig"],
        "patch": {"supported": True},
        "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": max_page},
        "changePassword": {"supported": False},
        "sort": {"supported": False},
        "etag": {"supported": False},
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "OAuth Bearer Token",
                "description": "A SCIM token of Terraform Enterprise",
            }
        ],
    }


def _resource_type(name: str) -> JsonObject:
    return {
        "schemas": [f"{_CORE}:ResourceType"],
        "id": name,
        "name": name,
        "endpoint": f"/{name}s",
        "schema": USER_SCHEMA if name == "User" else GROUP_SCHEMA,
        "meta": {"resourceType": "ResourceType"},
    }


def _attribute(name: str, kind: str = "string", **more: Json) -> JsonObject:
    return {
        "name": name,
        "type": kind,
        "multiValued": False,
        "required": False,
        "caseExact": False,
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "none",
        **more,
    }


def _user_schema() -> JsonObject:
    return {
        "schemas": [f"{_CORE}:Schema"],
        "id": USER_SCHEMA,
        "name": "User",
        "attributes": [
            _attribute("userName", required=True, uniqueness="server"),
            _attribute("externalId", caseExact=True),
            _attribute(
                "name",
                "complex",
                subAttributes=[_attribute("formatted", mutability="readOnly")],
            ),
            _attribute(
                "emails",
                "complex",
                multiValued=True,
                required=True,
                subAttributes=[_attribute("value"), _attribute("primary", "boolean")],
            ),
            _attribute("active", "boolean"),
        ],
    }


def _group_schema() -> JsonObject:
    return {
        "schemas": [f"{_CORE}:Schema"],
        "id": GROUP_SCHEMA,
        "name": "Group",
        "attributes": [
            _attribute("displayName", required=True, uniqueness="server"),
            _attribute("externalId", caseExact=True),
            _attribute(
                "members",
                "complex",
                multiValued=True,
                subAttributes=[
                    _attribute("value", mutability="immutable"),
                    _attribute("display", mutability="readOnly"),
                ],
            ),
        ],
    }
