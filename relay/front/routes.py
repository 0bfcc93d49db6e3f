"""Which endpoint a path is, and what may be done there (RFC 7644 section 3.2, table 2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import unquote

from relay.front.queries import readable
from relay.rules.types import Kind


class Endpoint(StrEnum):
    """The kinds of endpoint."""

    COLLECTION = "collection"
    RESOURCE = "resource"
    SEARCH = "search"
    CONFIG = "service_provider_config"
    RESOURCE_TYPES = "resource_types"
    SCHEMAS = "schemas"
    NOT_BUILT = "not_built"  # Bulk and Me
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes.

    Attributes:
        endpoint: what is there.
        kind: of which resource; None for discovery and a search of everything.
        id: the last segment of a resource's, schema's or resource type's path, or None.
    """

    endpoint: Endpoint
    kind: Kind | None = None
    id: str | None = None

    def label(self, method: str) -> str:
        """Method and path without ids, such as `PATCH /Groups/{id}`, for metrics (P8)."""
        method = method if method in _KNOWN_METHODS else "OTHER"
        collection = f"/{self.kind.plural}" if self.kind else ""
        return f"{method} {collection}{_TAILS[self.endpoint]}"


_KNOWN_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_TAILS: Final = {
    Endpoint.COLLECTION: "",
    Endpoint.RESOURCE: "/{id}",
    Endpoint.SEARCH: "/.search",
    Endpoint.CONFIG: "/ServiceProviderConfig",
    Endpoint.RESOURCE_TYPES: "/ResourceTypes",
    Endpoint.SCHEMAS: "/Schemas",
    Endpoint.NOT_BUILT: "/{not built}",
    Endpoint.UNKNOWN: "/{unknown}",
}
_READ: Final = frozenset({"GET", "HEAD"})
METHODS: Final = {
    Endpoint.COLLECTION: _READ | {"POST"},
    Endpoint.RESOURCE: _READ | {"PUT", "PATCH", "DELETE"},
    Endpoint.SEARCH: frozenset({"POST"}),
    Endpoint.CONFIG: _READ,
    Endpoint.RESOURCE_TYPES: _READ,
    Endpoint.SCHEMAS: _READ,
}
PROVISIONING: Final = frozenset({Endpoint.COLLECTION, Endpoint.RESOURCE, Endpoint.SEARCH})

_UNKNOWN: Final = Route(Endpoint.UNKNOWN)
_TOP: Final = {
    "users": Route(Endpoint.COLLECTION, Kind.USER),
    "groups": Route(Endpoint.COLLECTION, Kind.GROUP),
    # authentik's sfdc mode asks for the plural (idp-dialects section 7)
    "serviceproviderconfig": Route(Endpoint.CONFIG),
    "serviceproviderconfigs": Route(Endpoint.CONFIG),
    "resourcetypes": Route(Endpoint.RESOURCE_TYPES),
    "schemas": Route(Endpoint.SCHEMAS),
    ".search": Route(Endpoint.SEARCH),
    "bulk": Route(Endpoint.NOT_BUILT),
    "me": Route(Endpoint.NOT_BUILT),
}


def resolve(raw_path: str, base_path: str) -> Route:
    """The route of a path as on the wire; a slash too many means nothing.

    Endpoints are found in any letter case (Microsoft's own collection asks for `/users`), ids are
    not: they are opaque.

    Args:
        raw_path: percent-encoded.
        base_path: what stands before `/Users`.
    """
    if not raw_path.startswith(f"{base_path}/"):
        return _UNKNOWN
    match [part for part in raw_path[len(base_path) :].split("/") if part]:
        case [name]:
            return _TOP.get(name.lower(), _UNKNOWN)
        case [name, last]:
            return _below(_TOP.get(name.lower(), _UNKNOWN), last)
    return _UNKNOWN


def _below(parent: Route, last: str) -> Route:
    match parent.endpoint:
        case Endpoint.COLLECTION if last == ".search":
            return Route(Endpoint.SEARCH, parent.kind)
        case Endpoint.COLLECTION:
            return Route(Endpoint.RESOURCE, parent.kind, unquote(readable(last)))
        case Endpoint.RESOURCE_TYPES | Endpoint.SCHEMAS:
            return Route(parent.endpoint, id=unquote(readable(last)))
    return _UNKNOWN
