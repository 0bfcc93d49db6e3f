"""Discovery: what the relay says it can do (RFC 7643 sections 5 to 7, RFC 7644 section 4).

The schemas are written from the same table that the dialect layer reads with, so what the shadow
keeps is what `/Schemas` declares (A5). authentik takes its chunk size from `bulk.maxOperations`
even though bulk is off, hence 100 (`idp-dialects.md` section 7); canaille and midPoint build their
models from the schemas.
"""

from __future__ import annotations

from typing import Final

from relay.rules.attributes import (
    ENTERPRISE_ATTRIBUTES,
    GROUP_ATTRIBUTES,
    USER_ATTRIBUTES,
    Attribute,
    Type,
)
from relay.rules.contract import ENTERPRISE_SCHEMA, TFE
from relay.rules.names import schema_of
from relay.rules.types import Json, JsonObject, Kind

CONFIG_SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
RESOURCE_TYPE_SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
SCHEMA_SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:Schema"
MAX_PAYLOAD_BYTES: Final = 1_048_576

_DESCRIBED: Final[tuple[tuple[str, str, str, tuple[Attribute, ...]], ...]] = (
    (schema_of(Kind.USER), "User", "User Account", USER_ATTRIBUTES),
    (ENTERPRISE_SCHEMA, "EnterpriseUser", "Enterprise user", ENTERPRISE_ATTRIBUTES),
    (schema_of(Kind.GROUP), "Group", "Group of users", GROUP_ATTRIBUTES),
)
_PASSWORD: Final = Attribute(
    "password", "Dropped unread.", mutability="writeOnly", returned="never"
)
_COMPARED_BY_CASE: Final = frozenset({Type.REFERENCE, Type.BINARY})
_TEXTUAL: Final = frozenset({Type.STRING, Type.REFERENCE, Type.BINARY})


def service_provider_config(base_url: str) -> JsonObject:
    """What is supported (RFC 7643 section 5)."""
    off: JsonObject = {"supported": False}
    return {
        "schemas": [CONFIG_SCHEMA],
        "patch": {"supported": True},
        "bulk": {
            "supported": False,
            "maxOperations": TFE.max_operations,
            "maxPayloadSize": MAX_PAYLOAD_BYTES,
        },
        "filter": {"supported": True, "maxResults": TFE.max_page},
        "changePassword": dict(off),
        "sort": dict(off),
        "etag": dict(off),
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "Authorization: Bearer, with a token of `scim-relay token new`",
                "specUri": "https://www.rfc-editor.org/info/rfc6750",
                "primary": True,
            }
        ],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": f"{base_url}/ServiceProviderConfig",
        },
    }


def resource_types(base_url: str) -> list[JsonObject]:
    """The two resource types (RFC 7643 section 6)."""
    return [_resource_type(kind, base_url) for kind in Kind]


def _resource_type(kind: Kind, base_url: str) -> JsonObject:
    body: JsonObject = {
        "schemas": [RESOURCE_TYPE_SCHEMA],
        "id": kind.value,
        "name": kind.value,
        "description": "User Account" if kind is Kind.USER else "Group of users",
        "endpoint": f"/{kind.plural}",
        "schema": schema_of(kind),
        "meta": {
            "resourceType": "ResourceType",
            "location": f"{base_url}/ResourceTypes/{kind.value}",
        },
    }
    if kind is Kind.USER:
        body["schemaExtensions"] = [{"schema": ENTERPRISE_SCHEMA, "required": False}]
    return body


def schemas(base_url: str, *, password: bool = False) -> list[JsonObject]:
    """The schemas of users, their enterprise extension, and groups (RFC 7643 section 7).

    Args:
        base_url: of the SCIM root, without a trailing slash.
        password: users are said to have one, for clients that build their models from this and
            cannot but send it (docs/decisions/0006).
    """
    user = schema_of(Kind.USER)
    described: list[JsonObject] = []
    for urn, name, description, attributes in _DESCRIBED:
        declared = (*attributes, _PASSWORD) if password and urn == user else attributes
        described.append(
            {
                "schemas": [SCHEMA_SCHEMA],
                "id": urn,
                "name": name,
                "description": description,
                "attributes": [_described(attribute) for attribute in declared],
                "meta": {"resourceType": "Schema", "location": f"{base_url}/Schemas/{urn}"},
            }
        )
    return described


def _described(attribute: Attribute) -> JsonObject:
    body: JsonObject = {
        "name": attribute.name,
        "type": attribute.type.value,
        "multiValued": attribute.multi,
        "description": attribute.description,
        "required": attribute.required,
        "mutability": attribute.mutability,
        "returned": attribute.returned,
    }
    if attribute.type in _TEXTUAL:
        # RFC 7643 sections 2.3.6 and 2.3.7: binaries and references are always case-exact.
        body["caseExact"] = attribute.case_exact or attribute.type in _COMPARED_BY_CASE
        body["uniqueness"] = attribute.unique
    optional: dict[str, Json] = {
        "canonicalValues": list(attribute.canonical),
        "referenceTypes": list(attribute.references),
        "subAttributes": [_described(sub) for sub in attribute.subs],
    }
    return body | {key: value for key, value in optional.items() if value}
