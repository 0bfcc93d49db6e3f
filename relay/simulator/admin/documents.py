"""JSON:API documents of TFE's own side, by pure functions from values to JSON.

Types and attributes are those HashiCorp's clients read (contract, last section): a client checks
`type` letter by letter. What SCIM adds to teams and users is absent while SCIM is disabled.
"""

from __future__ import annotations

from http.client import responses
from math import ceil
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlencode

from relay.simulator.admin.people import user_id
from relay.simulator.wire import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from relay.rules.types import Json, JsonObject
    from relay.simulator.access import Access, ScimToken
    from relay.simulator.accounts import Account
    from relay.simulator.admin.records import Organization, Team
    from relay.simulator.admin.site import Saml
    from relay.simulator.records import Group, User

Item = TypeVar("Item")

PAGE_SIZE: Final = 20
MAX_PAGE_SIZE: Final = 100

_SAML_TEXTS: Final = (
    "old-idp-cert",
    "idp-cert",
    "slo-endpoint-url",
    "sso-endpoint-url",
    "attr-username",
    "attr-groups",
    "attr-site-admin",
    "site-admin-role",
    "certificate",
    "signature-signing-method",
    "signature-digest-method",
)
_SAML_FLAGS: Final = (
    "debug",
    "team-management-enabled",
    "authn-requests-signed",
    "want-assertions-signed",
)
_SAML_SESSION_S: Final = 1_209_600


def one(resource: JsonObject) -> JsonObject:
    """A document of one resource."""
    return {"data": resource}


def page(
    found: Sequence[Item],
    render: Callable[[Item], JsonObject],
    path: str,
    query: Mapping[str, str],
) -> JsonObject:
    """The page a query asks for, with links and `meta.pagination`; past the end it is empty."""
    number = max(1, _number(query.get("page[number]"), 1))
    size = min(MAX_PAGE_SIZE, max(1, _number(query.get("page[size]"), PAGE_SIZE)))
    pages = max(1, ceil(len(found) / size))
    before = number - 1 if 1 < number <= pages else None
    after = number + 1 if number < pages else None
    places = {"self": number, "first": 1, "prev": before, "next": after, "last": pages}
    links: JsonObject = {
        name: place and f"{path}?{urlencode({**query, 'page[number]': place, 'page[size]': size})}"
        for name, place in places.items()
    }
    pagination: JsonObject = {
        "current-page": number,
        "page-size": size,
        "prev-page": before,
        "next-page": after,
        "total-pages": pages,
        "total-count": len(found),
    }
    shown = found[(number - 1) * size : number * size]
    return {
        "data": [render(item) for item in shown],
        "links": links,
        "meta": {"pagination": pagination},
    }


def error(status: int, detail: str) -> JsonObject:
    """A JSON:API error; clients read status and detail, the title differs by release."""
    title = responses.get(status, "error").lower()
    return {"errors": [{"status": str(status), "title": title, "detail": detail}]}


def scim_settings(access: Access, site_admin_group: Group | None) -> JsonObject:
    """The one resource of type `scim-settings`."""
    group = site_admin_group
    return {
        "id": "scim",
        "type": "scim-settings",
        "attributes": {
            "enabled": access.enabled,
            "paused": access.paused,
            "site-admin-group-scim-id": None if group is None else group.stamp.id,
            "site-admin-group-display-name": None if group is None else group.name,
        },
    }


def scim_token(token: ScimToken, *, reveal: bool = False) -> JsonObject:
    """A SCIM token; its secret is shown only when it was just made."""
    return {
        "id": token.id,
        "type": "authentication-tokens",
        "attributes": {
            "description": token.description,
            "token": token.secret if reveal else None,
            "created-at": timestamp(token.created),
            "expired-at": timestamp(token.expires),
            "last-used-at": None if token.last_used is None else timestamp(token.last_used),
        },
    }


def scim_group(group: Group) -> JsonObject:
    """A SCIM group as the admin API lists it: id and name."""
    return {"id": group.stamp.id, "type": "scim-groups", "attributes": {"name": group.name}}


def saml_settings(saml: Saml) -> JsonObject:
    """The one resource of type `saml-settings`; a private key is never shown."""
    attributes: JsonObject = {"enabled": saml.enabled, "provider-type": saml.provider_type}
    attributes |= {name: saml.more.get(name) for name in _SAML_TEXTS}
    attributes |= {name: saml.more.get(name, False) for name in _SAML_FLAGS}
    timeout = saml.more.get("sso-api-token-session-timeout", _SAML_SESSION_S)
    attributes["sso-api-token-session-timeout"] = timeout
    return {"id": "saml", "type": "saml-settings", "attributes": attributes}


def organization(org: Organization, saml: Saml) -> JsonObject:
    """An organisation; its id is its name."""
    return {
        "id": org.name,
        "type": "organizations",
        "attributes": {
            "name": org.name,
            "external-id": org.external_id,
            "email": org.email,
            "created-at": timestamp(org.created),
            "saml-enabled": saml.enabled,
            "is-unified": False,
            "permissions": {"can-create-team": True, "can-destroy": True, "can-update": True},
        },
        "links": {"self": f"/api/v2/organizations/{org.name}"},
    }


def team(team: Team, group_name: str | None, *, scim_enabled: bool) -> JsonObject:
    """A team; its link is shown by the group's name, never its id."""
    attributes: JsonObject = {
        "name": team.name,
        "sso-team-id": team.sso_team_id,
        "users-count": len(team.members),
        "visibility": team.visibility,
        "allow-member-token-management": True,
        "is-unified": False,
        "organization-access": dict(team.access),
        "permissions": {
            "can-update-membership": team.link is None,
            "can-destroy": team.link is None and not team.is_owners,
        },
    }
    if scim_enabled:
        link = team.link
        attributes["scim-linked"] = link is not None
        attributes["scim-group-name"] = group_name
        attributes["scim-sync-paused"] = link is not None and link.paused
        attributes["scim-updated-at"] = None if link is None else timestamp(link.synced)
    members: list[Json] = [{"id": user_id(name), "type": "users"} for name in team.members]
    return {
        "id": team.id,
        "type": "teams",
        "attributes": attributes,
        "relationships": {"users": {"data": members}, "authentication-token": {"meta": {}}},
        "links": {"self": f"/api/v2/teams/{team.id}"},
    }


def user(
    account: Account,
    identity: User | None,
    organizations: Sequence[str],
    *,
    is_admin: bool,
    scim_enabled: bool,
) -> JsonObject:
    """A user as `admin/users` and `account/details` show one.

    Args:
        account: TFE's own user.
        identity: the SCIM identity linked to it, or None for a manual user.
        organizations: names of those the user is in.
        is_admin: the user is site administrator.
        scim_enabled: False leaves out what SCIM adds.
    """
    attributes: JsonObject = {
        "username": account.username,
        "email": account.email,
        "avatar-url": None,
        "is-admin": is_admin,
        "is-site-admin": is_admin,
        "is-suspended": account.suspended,
        "is-service-account": False,
        "two-factor": {"enabled": False, "verified": False},
    }
    refs: list[Json] = [{"id": name, "type": "organizations"} for name in organizations]
    return {
        "id": user_id(account.username),
        "type": "users",
        "attributes": attributes | (_scim_of_user(identity) if scim_enabled else {}),
        "relationships": {"organizations": {"data": refs}},
        "links": {"self": f"/api/v2/users/{account.username}"},
    }


def _scim_of_user(identity: User | None) -> JsonObject:
    return {
        "is-scim-managed": identity is not None,
        "scim-username": None if identity is None else identity.name,
        "scim-updated-at": None if identity is None else timestamp(identity.stamp.modified),
    }


def _number(value: str | None, otherwise: int) -> int:
    return int(value) if value is not None and value.isdecimal() else otherwise
