"""What the control API can do to TFE's own side: no token, no rate limit, no rule in the way.

Each order goes from a JSON body to a JSON answer, as those of `relay.simulator.orders`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from relay.simulator.admin.records import Link
from relay.simulator.admin.site import PROVIDER_TYPES
from relay.simulator.errors import bad_value, not_found
from relay.simulator.shapes import changed, read

if TYPE_CHECKING:
    from relay.rules.types import Json, JsonObject
    from relay.simulator.admin.records import Team
    from relay.simulator.tfe import Tfe


@dataclass(frozen=True, slots=True)
class AdminToken:
    """The body of `POST admin-token`.

    Attributes:
        token: the token to introduce, or to revoke; None mints one.
        username: whose it is; made by hand if need be.
        site_admin: the user is site administrator.
        lifetime_s: when it ends, in seconds from now; None: never.
        revoke: end it instead.
    """

    token: str | None = None
    username: str = "site-admin"
    site_admin: bool = True
    lifetime_s: float | None = None
    revoke: bool = False


@dataclass(frozen=True, slots=True)
class NewOrganization:
    """The body of `POST organizations`."""

    name: str
    email: str = "owner@tfe.example.com"
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class NewTeam:
    """The body of `POST teams`; `members` are usernames."""

    organization: str
    name: str
    members: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LinkOrder:
    """The body of `POST links`.

    Attributes:
        team: the team's id.
        group: the SCIM group's id or name; None leaves the link there is.
        paused: the team is paused; None leaves it.
        stalled: synchronisations do not reach the team: it lags; None leaves it.
        synced_s_ago: the last synchronisation was so long ago; None leaves it.
        unlink: take the link away instead.
    """

    team: str
    group: str | None = None
    paused: bool | None = None
    stalled: bool | None = None
    synced_s_ago: float | None = None
    unlink: bool = False


@dataclass(frozen=True, slots=True)
class SiteAdminGroup:
    """The body of `POST site-admin-group`: id or name; None for none."""

    group: str | None = None


@dataclass(frozen=True, slots=True)
class SamlOrder:
    """The body of `POST saml`."""

    enabled: bool = True
    provider_type: str = "okta"


@dataclass(frozen=True, slots=True)
class Version:
    """The body of `POST version`."""

    version: str


def admin_token(tfe: Tfe, body: JsonObject) -> Json:
    """Issue a token for the admin API, and answer with it; or revoke one."""
    order = read(AdminToken, body)
    people = tfe.site.people
    if order.revoke:
        if order.token is None:
            raise bad_value("token must be named to be revoked")
        people.revoke(order.token)
        return tfe.state()
    secret = people.issue(
        order.username,
        token=order.token,
        site_admin=order.site_admin,
        lifetime_s=order.lifetime_s,
    )
    return {"token": secret}


def organizations(tfe: Tfe, body: JsonObject) -> Json:
    """Found an organisation; answers with its owners team's id."""
    order = read(NewOrganization, body)
    made = tfe.site.estate.found(order.name, order.email, order.owner)
    return {"name": made.name, "owners_team": tfe.site.estate.teams(made.name)[0].id}


def teams(tfe: Tfe, body: JsonObject) -> Json:
    """Form a team; answers with its id."""
    order = read(NewTeam, body)
    known = {account.username for account in tfe.directory.accounts.all()}
    for name in order.members:
        if name not in known:
            raise not_found("username", name)
    return {"id": tfe.site.estate.form(order.organization, order.name, tuple(order.members)).id}


def links(tfe: Tfe, body: JsonObject) -> Json:
    """Link, unlink, pause, stall or age a team; answers with the team."""
    order = read(LinkOrder, body)
    bonds = tfe.site.links
    if order.unlink:
        return team_json(tfe, bonds.cut(order.team))
    if order.group is not None:
        bonds.make(order.team, _group_id(tfe, order.group))
    if order.stalled is not None:
        bonds.stall(order.team, stalled=order.stalled)
    if order.paused is not None:
        bonds.pause(order.team, paused=order.paused)
    team = tfe.site.estate.team(order.team)
    if order.synced_s_ago is not None and isinstance(team.link, Link):
        aged = replace(team.link, synced=tfe.clock.wall() - order.synced_s_ago)
        team = tfe.site.estate.put(replace(team, link=aged))
    return team_json(tfe, team)


def site_admin_group(tfe: Tfe, body: JsonObject) -> Json:
    """Which group's members are site administrators."""
    group = read(SiteAdminGroup, body).group
    tfe.site.people.site_admin_group = None if group is None else _group_id(tfe, group)
    return tfe.state()


def saml(tfe: Tfe, body: JsonObject) -> Json:
    """SAML on or off, and for which provider."""
    order = read(SamlOrder, body)
    if order.provider_type not in PROVIDER_TYPES:
        raise bad_value(f"provider_type must be one of {', '.join(PROVIDER_TYPES)}")
    tfe.site.saml = replace(tfe.site.saml, enabled=order.enabled, provider_type=order.provider_type)
    return tfe.state()


def version(tfe: Tfe, body: JsonObject) -> Json:
    """Another release: what `X-TFE-Version` says; below 2.0 there is no SCIM in the admin API."""
    tfe.site.version = read(Version, body).version
    return tfe.state()


def admin_limit(tfe: Tfe, body: JsonObject) -> Json:
    """The admin API's budgets; keys left out stay as they are, counting starts anew."""
    budgets = tfe.site.budgets
    budgets.change(changed(budgets.limits, body))
    return tfe.state()


def team_json(tfe: Tfe, team: Team) -> JsonObject:
    """A team with its link as it stands, for the control API."""
    link = team.link
    members: list[Json] = [*team.members]
    tie: JsonObject | None = None
    if link is not None:
        tie = {**asdict(link), "group": tfe.site.links.group_name(team)}
    return {
        "id": team.id,
        "organization": team.organization,
        "name": team.name,
        "members": members,
        "link": tie,
    }


def _group_id(tfe: Tfe, group: str) -> str:
    if group in tfe.directory.groups:
        return group
    named = tfe.directory.groups.named(group)
    if not named:
        raise not_found("Group", group)
    return named[0].stamp.id
