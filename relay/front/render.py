"""From the directory's resources to SCIM bodies, projection included."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from relay.front.queries import PLAIN, Query
from relay.rules.types import Kind
from relay.rules.view import resource_body, select

if TYPE_CHECKING:
    from relay.rules.types import JsonObject
    from relay.store.state.records import Resource


def rendered(resource: Resource, base_url: str, query: Query = PLAIN) -> JsonObject:
    """The body of a resource; its roster is in it if the directory gave one."""
    if resource.kind is Kind.USER and not query.wants_members(Kind.USER):
        resource = without_members(resource)  # a filter had its groups read
    body = _body(resource, base_url, displays=query.names_displays)
    return select(body, query.attributes, query.excluded) if query.projects else body


def whole(resource: Resource, base_url: str) -> JsonObject:
    """All there is of a resource, as a filter sees it: what is returned on request included."""
    return _body(resource, base_url, displays=True)


def _body(resource: Resource, base_url: str, *, displays: bool) -> JsonObject:
    members = None
    if resource.members is not None:
        members = [
            (member.id, member.display, "indirect" if member.indirect else member.kind.value)
            for member in resource.members
        ]
    return resource_body(
        resource.kind,
        resource.public_id,
        resource.shadow,
        resource.created,
        resource.modified,
        base_url,
        members,
        displays=displays,
    )


def without_members(resource: Resource) -> Resource:
    """The resource without its roster."""
    return replace(resource, members=None)


def location_of(resource: Resource, base_url: str) -> str:
    """The resource's own address (RFC 7643 section 3.1, `meta.location`)."""
    return f"{base_url}/{resource.kind.plural}/{resource.public_id}"
