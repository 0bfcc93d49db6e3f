"""Organisations, their teams, and who is in a team, for whoever is site administrator or member.

A linked team's membership belongs to SCIM: changing it, the team's name, or deleting it is a 403,
paused or not. `sso-team-id` is accepted and left as it is meanwhile.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from relay.simulator.admin import documents
from relay.simulator.admin.bodies import optional_text, text
from relay.simulator.admin.estate import not_there
from relay.simulator.admin.people import user_id
from relay.simulator.errors import ScimError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from relay.rules.types import JsonObject
    from relay.simulator.admin.bodies import Call, Outcome
    from relay.simulator.admin.records import Organization, Team

Item = TypeVar("Item")


def organizations(call: Call) -> Outcome:
    """List those the caller may see, or found one with the caller as owner.

    Raises:
        ScimError: 400, 404, 422.
    """
    site = call.tfe.site
    match call.method:
        case "GET":
            part = call.arrival.query.get("q", "").casefold()
            seen = [
                org
                for org in site.estate.organizations()
                if _may_see(call, org.name) and part in f"{org.name} {org.email}".casefold()
            ]
            return 200, _page(call, seen, lambda org: documents.organization(org, site.saml))
        case "POST":
            given = call.attributes()
            name, email = text(given, "name"), text(given, "email")
            made = site.estate.found(name, email, call.caller.username)
            return 201, documents.one(documents.organization(made, site.saml))
    raise call.wrong_method()


def organization(call: Call, name: str) -> Outcome:
    """Show one or delete it with its teams.

    Raises:
        ScimError: 404.
    """
    org = _organization(call, name)
    match call.method:
        case "GET":
            return 200, documents.one(documents.organization(org, call.tfe.site.saml))
        case "DELETE":
            call.tfe.site.estate.dissolve(name)
            return 204, None
    raise call.wrong_method()


def teams(call: Call, organization_name: str) -> Outcome:
    """List an organisation's teams by `q` or `filter[names]`, or form one.

    Raises:
        ScimError: 400, 404, 422.
    """
    _organization(call, organization_name)
    estate = call.tfe.site.estate
    match call.method:
        case "GET":
            chosen = _chosen(call, estate.teams(organization_name))
            return 200, _page(call, chosen, lambda team: _resource(call, team))
        case "POST":
            given = call.attributes()
            made = estate.form(organization_name, text(given, "name"))
            return 201, _document(call, estate.put(_written(made, given)))
    raise call.wrong_method()


def team(call: Call, ident: str) -> Outcome:
    """Show one, change it in part, or delete it.

    Raises:
        ScimError: 400, 403 it is linked, 404, 422.
    """
    estate = call.tfe.site.estate
    found = _team(call, ident)
    match call.method:
        case "GET":
            return 200, _document(call, found)
        case "PATCH":
            given = call.attributes()
            changed = _written(found, given)
            if "name" in given and given["name"] != found.name:
                _check_own(found)
                changed = estate.rename(changed, text(given, "name"))
            return 200, _document(call, estate.put(changed))
        case "DELETE":
            _check_own(found)
            if found.is_owners:
                raise ScimError(403, "The owners team cannot be deleted")
            estate.disband(found)
            return 204, None
    raise call.wrong_method()


def team_users(call: Call, ident: str) -> Outcome:
    """Add users to a team or take them out, by username.

    Raises:
        ScimError: 400, 403 the team is linked, 404, 422.
    """
    found = _team(call, ident)
    if call.method not in {"POST", "DELETE"}:
        raise call.wrong_method()
    _check_own(found)
    named = _named_users(call)
    rest = [name for name in found.members if name not in named]
    members = (*rest, *named) if call.method == "POST" else rest
    call.tfe.site.estate.put(replace(found, members=tuple(members)))
    return 204, None


def _page(call: Call, found: list[Item], render: Callable[[Item], JsonObject]) -> JsonObject:
    return documents.page(found, render, call.arrival.path, call.arrival.query)


def _named_users(call: Call) -> list[str]:
    """Usernames of a list of `{"type": "users", "id": USERNAME}`; the API's ids do as well."""
    body = call.body()
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, list):
        raise ScimError(422, "data must be an array of users")
    known = {account.username: account.username for account in call.tfe.directory.accounts.all()}
    known |= {user_id(name): name for name in known}
    given = [element.get("id") if isinstance(element, dict) else None for element in data]
    named = [known[ident] for ident in given if isinstance(ident, str) and ident in known]
    if len(named) != len(data):
        raise not_there()
    return named


def _chosen(call: Call, among: Iterable[Team]) -> list[Team]:
    part = call.arrival.query.get("q", "").casefold()
    wanted = call.arrival.query.get("filter[names]", "")
    names = set(filter(None, wanted.split(",")))
    return [
        team for team in among if part in team.name.casefold() and (not names or team.name in names)
    ]


def _written(team: Team, given: JsonObject) -> Team:
    """What a body says of a team, its name apart."""
    if "visibility" in given:
        team = replace(team, visibility=text(given, "visibility"))
    if "sso-team-id" in given and team.link is None:
        team = replace(team, sso_team_id=optional_text(given, "sso-team-id"))
    access = given.get("organization-access")
    if isinstance(access, dict):
        flags = {name: value for name, value in access.items() if isinstance(value, bool)}
        team = replace(team, access={**team.access, **flags})
    return team


def _check_own(team: Team) -> None:
    if team.link is not None:
        raise ScimError(403, "Team is linked to a SCIM group, which manages it")


def _resource(call: Call, team: Team) -> JsonObject:
    name = call.tfe.site.links.group_name(team)
    return documents.team(team, name, scim_enabled=call.tfe.access.enabled)


def _document(call: Call, team: Team) -> JsonObject:
    return documents.one(_resource(call, team))


def _team(call: Call, ident: str) -> Team:
    found = call.tfe.site.estate.team(ident)
    _organization(call, found.organization)
    return found


def _organization(call: Call, name: str) -> Organization:
    found = call.tfe.site.estate.organization(name)
    if not _may_see(call, name):
        raise not_there()
    return found


def _may_see(call: Call, name: str) -> bool:
    site = call.tfe.site
    return site.people.is_admin(call.caller) or site.estate.is_member(call.caller.username, name)
