"""Organisations and teams: who is in which, made and unmade by administrators.

The rules of the links between teams and SCIM groups are in `links`. What exists nowhere is a 404
without a word on whether it might exist for somebody else, as TFE answers.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from relay.simulator.admin.records import OWNERS, Organization, Team
from relay.simulator.errors import ScimError

if TYPE_CHECKING:
    from relay.clock import Clock, Ids

_NAME: Final = re.compile(r"[\w-]{1,40}\Z", re.ASCII)


class Estate:
    """All organisations with their teams, in order of creation."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids
        self._organizations: dict[str, Organization] = {}
        self._teams: dict[str, Team] = {}

    def organizations(self) -> list[Organization]:
        """All of them."""
        return list(self._organizations.values())

    def organization(self, name: str) -> Organization:
        """The organisation of this name.

        Raises:
            ScimError: 404.
        """
        found = self._organizations.get(name)
        if found is None:
            raise not_there()
        return found

    def teams(self, organization: str | None = None) -> list[Team]:
        """All teams, or those of one organisation."""
        return [
            team
            for team in self._teams.values()
            if organization is None or team.organization == organization
        ]

    def team(self, ident: str) -> Team:
        """The team with this id.

        Raises:
            ScimError: 404.
        """
        found = self._teams.get(ident)
        if found is None:
            raise not_there()
        return found

    def is_member(self, username: str, organization: str) -> bool:
        """Whether a user is in any team of an organisation."""
        return any(username in team.members for team in self.teams(organization))

    def found(self, name: str, email: str, owner: str | None) -> Organization:
        """A new organisation with its owners team.

        Raises:
            ScimError: 422, the name is taken or not allowed.
        """
        _check_name(name)
        if name in self._organizations:
            raise ScimError(422, "Name has already been taken")
        made = Organization(name, email, f"org-{self._new_suffix()}", self._clock.wall())
        self._organizations[name] = made
        self.form(name, OWNERS, () if owner is None else (owner,))
        return made

    def dissolve(self, name: str) -> None:
        """An organisation goes with its teams.

        Raises:
            ScimError: 404.
        """
        self.organization(name)
        del self._organizations[name]
        for team in self.teams(name):
            del self._teams[team.id]

    def form(self, organization: str, name: str, members: tuple[str, ...] = ()) -> Team:
        """A new team.

        Raises:
            ScimError: 404 no such organisation, 422 the name is taken or not allowed.
        """
        self.organization(organization)
        self._check_team_name(organization, name)
        team = Team(f"team-{self._new_suffix()}", organization, name, members=members)
        self._teams[team.id] = team
        return team

    def form_for_group(self, name: str) -> Team:
        """The team that a SCIM group founds, or takes over by its name (HCP Terraform).

        Its name is the group's, whatever characters are in it.
        """
        if not self._organizations:
            self.found("scim-organization", "scim@example.com", None)
        organization = next(iter(self._organizations))
        for team in self.teams(organization):
            if team.name == name and team.link is None:
                return team
        return self.put(Team(f"team-{self._new_suffix()}", organization, name))

    def rename(self, team: Team, name: str) -> Team:
        """Another name for a team.

        Raises:
            ScimError: 422, the name is taken or not allowed.
        """
        self._check_team_name(team.organization, name)
        return self.put(replace(team, name=name))

    def put(self, team: Team) -> Team:
        """The team in another state; returns it."""
        self._teams[team.id] = team
        return team

    def disband(self, team: Team) -> None:
        """A team goes."""
        del self._teams[team.id]

    def _check_team_name(self, organization: str, name: str) -> None:
        _check_name(name)
        if any(team.name == name for team in self.teams(organization)):
            raise ScimError(422, "Name has already been taken")

    def _new_suffix(self) -> str:
        return self._ids.new_id().replace("-", "")[:16]


def not_there() -> ScimError:
    """TFE's 404: not there, or not for this caller."""
    return ScimError(404, "Resource not found, or the token is not allowed to perform this action")


def _check_name(name: str) -> None:
    if _NAME.match(name) is None:
        raise ScimError(422, "Name may have letters, digits, - and _ only, 40 at most")
