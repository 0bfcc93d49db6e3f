"""From a path under `/api/v2` to the module that answers, and who may go there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.simulator.admin import groups, settings, teams, tokens, users
from relay.simulator.admin.estate import not_there

if TYPE_CHECKING:
    from relay.simulator.admin.bodies import Call, Outcome
    from relay.simulator.log import Arrival

ROOT: Final = "/api/v2"


def segments(arrival: Arrival) -> list[str]:
    """The path behind the root, taken apart: `["admin", "scim-settings"]`."""
    return arrival.path.removeprefix(ROOT).strip("/").split("/")


def answer(call: Call) -> Outcome:
    """Do what a request asks.

    Raises:
        ScimError: it is refused and changed nothing.
    """
    match segments(call.arrival):
        case ["account", "details"]:
            return users.account_details(call)
        case ["organizations", *rest]:
            return _organizations(call, rest)
        case ["teams", *rest]:
            return _teams(call, rest)
        case ["admin", *rest] if call.tfe.site.people.is_admin(call.caller):
            return _admin(call, rest)
        case ["authentication-tokens", ident] if call.method == "DELETE":
            return _scim(call, ["scim-tokens", ident])
    raise not_there()


def _organizations(call: Call, rest: list[str]) -> Outcome:
    match rest:
        case []:
            return teams.organizations(call)
        case [name]:
            return teams.organization(call, name)
        case [name, "teams"]:
            return teams.teams(call, name)
    raise not_there()


def _teams(call: Call, rest: list[str]) -> Outcome:
    match rest:
        case [ident]:
            return teams.team(call, ident)
        case [ident, "relationships", "users"]:
            return teams.team_users(call, ident)
    raise not_there()


def _admin(call: Call, rest: list[str]) -> Outcome:
    """What only a site administrator may: for anybody else, and with HCP, it is not there."""
    if not call.tfe.site.version:
        raise not_there()
    match rest:
        case ["saml-settings"]:
            return settings.saml_settings(call)
        case ["users"]:
            return users.users(call)
        case ["users", ident]:
            return users.user(call, ident)
        case ["users", ident, "actions", action]:
            return users.user_action(call, ident, action)
    return _scim(call, rest)


def _scim(call: Call, rest: list[str]) -> Outcome:
    """What TFE below 2.0 does not have."""
    if not call.tfe.site.knows_scim or not call.tfe.site.people.is_admin(call.caller):
        raise not_there()
    match rest:
        case ["scim-settings"]:
            return settings.scim_settings(call)
        case ["scim-tokens"]:
            return tokens.scim_tokens(call)
        case ["scim-tokens", ident]:
            return tokens.scim_token(call, ident)
        case ["scim-groups"]:
            return groups.scim_groups(call)
        case ["teams", ident, "scim-group-mapping"]:
            return groups.scim_group_mapping(call, ident)
    raise not_there()
