"""What the admin API says, as values, read out of JSON:API documents by pure functions.

What SCIM adds to a team or a user is absent while SCIM is disabled: that is None here, and not the
same as a team without a link. Times are seconds since the epoch. Every reader raises ValueError,
naming what is wrong, for a document TFE does not send.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from relay.rules.types import Json, JsonObject

Kind = TypeVar("Kind", str, bool)


class SiteState(StrEnum):
    """What the operator of TFE has done to SCIM as a whole."""

    RUNNING = "running"
    PAUSED = "paused"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class ScimSettings:
    """SCIM's settings.

    Attributes:
        state: running, paused, or disabled, which wiped everything.
        site_admin_group_id: TFE's id of the group whose members are site administrators, or None.
        site_admin_group_name: its display name, or None.
    """

    state: SiteState
    site_admin_group_id: str | None
    site_admin_group_name: str | None


@dataclass(frozen=True, slots=True)
class ScimToken:
    """A SCIM token that is live; which one is ours, TFE does not say.

    Attributes:
        id: the admin API's id of it.
        description: a person's words; empty for none.
        created: when it was made.
        expires: when it ends.
        last_used: when it was last accepted, to the minute; None for never.
    """

    id: str
    description: str
    created: float
    expires: float
    last_used: float | None


@dataclass(frozen=True, slots=True)
class ScimGroup:
    """A SCIM group by the admin API: its id is that of the SCIM endpoint."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class TeamLink:
    """How a linked team stands; TFE names the group, not its id.

    Attributes:
        group_name: the group's display name.
        paused: the team does not follow its group until resumed.
        synced: when it last followed; None for never.
    """

    group_name: str
    paused: bool
    synced: float | None


@dataclass(frozen=True, slots=True)
class Team:
    """A team.

    Attributes:
        id: `team-...`.
        name: unique in its organisation.
        scim_enabled: False: TFE says nothing about links, since SCIM is disabled.
        link: the group it follows, or None.
    """

    id: str
    name: str
    scim_enabled: bool
    link: TeamLink | None


@dataclass(frozen=True, slots=True)
class User:
    """A user of TFE itself.

    Attributes:
        id: `user-...`.
        username: TFE's own name.
        email: the address; empty if TFE shows none.
        is_admin: the user is site administrator.
        is_suspended: the user cannot sign in.
        scim_managed: SCIM manages the user; None while SCIM is disabled.
        scim_username: the `userName` of the SCIM identity, or None.
        scim_updated: when SCIM last changed the user, or None.
    """

    id: str
    username: str
    email: str
    is_admin: bool
    is_suspended: bool
    scim_managed: bool | None
    scim_username: str | None
    scim_updated: float | None


def scim_settings(resource: JsonObject) -> ScimSettings:
    """Of a resource `scim-settings`."""
    attributes = _attributes(resource, "scim-settings")
    if not _need(attributes, "enabled", bool):
        state = SiteState.DISABLED
    else:
        state = SiteState.PAUSED if _need(attributes, "paused", bool) else SiteState.RUNNING
    return ScimSettings(
        state,
        _maybe(attributes, "site-admin-group-scim-id", str),
        _maybe(attributes, "site-admin-group-display-name", str),
    )


def scim_token(resource: JsonObject) -> ScimToken:
    """Of a resource `authentication-tokens`."""
    attributes = _attributes(resource, "authentication-tokens")
    return ScimToken(
        _need(resource, "id", str),
        _maybe(attributes, "description", str) or "",
        _instant(_need(attributes, "created-at", str)),
        _instant(_need(attributes, "expired-at", str)),
        _maybe_instant(attributes, "last-used-at"),
    )


def secret_of(resource: JsonObject) -> str:
    """What a SCIM token is sent as; TFE shows it in the answer that made it, and never again."""
    return _need(_attributes(resource, "authentication-tokens"), "token", str)


def scim_group(resource: JsonObject) -> ScimGroup:
    """Of a resource `scim-groups`."""
    attributes = _attributes(resource, "scim-groups")
    return ScimGroup(_need(resource, "id", str), _need(attributes, "name", str))


def organization_name(resource: JsonObject) -> str:
    """Of a resource `organizations`: its id is its name."""
    _attributes(resource, "organizations")
    return _need(resource, "id", str)


def team(resource: JsonObject) -> Team:
    """Of a resource `teams`."""
    attributes = _attributes(resource, "teams")
    linked = _maybe(attributes, "scim-linked", bool)
    link = None
    if linked:
        link = TeamLink(
            _need(attributes, "scim-group-name", str),
            _maybe(attributes, "scim-sync-paused", bool) or False,
            _maybe_instant(attributes, "scim-updated-at"),
        )
    ident, name = _need(resource, "id", str), _need(attributes, "name", str)
    return Team(ident, name, linked is not None, link)


def user(resource: JsonObject) -> User:
    """Of a resource `users`, as a list of them or the account's details show it."""
    attributes = _attributes(resource, "users")
    return User(
        id=_need(resource, "id", str),
        username=_need(attributes, "username", str),
        email=_maybe(attributes, "email", str) or "",
        is_admin=_maybe(attributes, "is-admin", bool) or False,
        is_suspended=_maybe(attributes, "is-suspended", bool) or False,
        scim_managed=_maybe(attributes, "is-scim-managed", bool),
        scim_username=_maybe(attributes, "scim-username", str),
        scim_updated=_maybe_instant(attributes, "scim-updated-at"),
    )


def resource_of(document: Json) -> JsonObject:
    """The one resource of a document."""
    match document:
        case {"data": dict(resource)}:
            return resource
        case _:
            raise ValueError("the answer holds no resource")


def page_of(document: Json) -> tuple[list[JsonObject], int | None]:
    """The resources of a page, and the number of the next one or None."""
    after: int | None = None
    match document:
        case {"data": [*found], "meta": {"pagination": {"next-page": int(number)}}}:
            after = number
        case {"data": [*found]}:
            pass
        case _:
            raise ValueError("the answer holds no list")
    return [resource for resource in found if isinstance(resource, dict)], after


def _attributes(resource: JsonObject, kind: str) -> JsonObject:
    attributes = resource.get("attributes")
    if resource.get("type") != kind or not isinstance(attributes, dict):
        raise ValueError(f"the answer holds no {kind}")
    return attributes


def _need(values: JsonObject, name: str, kind: type[Kind]) -> Kind:
    value = values.get(name)
    if not isinstance(value, kind):
        raise ValueError(f"{name} is {'missing' if value is None else 'of another type'}")  # noqa: TRY004 - a document's fault
    return value


def _maybe(values: JsonObject, name: str, kind: type[Kind]) -> Kind | None:
    return None if values.get(name) is None else _need(values, name, kind)


def _maybe_instant(values: JsonObject, name: str) -> float | None:
    text = _maybe(values, name, str)
    return None if text is None else _instant(text)


def _instant(text: str) -> float:
    """Raises ValueError for what is no ISO 8601 timestamp."""
    parsed = datetime.fromisoformat(text)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
