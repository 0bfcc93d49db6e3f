"""What ties teams to SCIM groups: linking, pausing, and following what the IdP does to a group.

Words and statuses are those HashiCorp's client expects (contract, last section). Membership flows
to every linked team that is not paused; resuming reconciles at once. Service accounts, which TFE
leaves in a team, are not modelled.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from relay.simulator.admin.estate import not_there
from relay.simulator.admin.records import Link
from relay.simulator.errors import ScimError

if TYPE_CHECKING:
    from relay.clock import Clock
    from relay.simulator.admin.estate import Estate
    from relay.simulator.admin.people import People
    from relay.simulator.admin.records import Team
    from relay.simulator.directory import Directory
    from relay.simulator.records import Group


class Links:
    """Links and unlinks; keeps linked teams like their groups."""

    def __init__(self, clock: Clock, directory: Directory, estate: Estate, people: People) -> None:
        self._clock = clock
        self._directory = directory
        self._estate = estate
        self._people = people
        directory.observe(self._follow)

    def make(self, team_id: str, group_id: str) -> Team:
        """Link a team and give it the group's members.

        Raises:
            ScimError: 404 team or group, 409 linked already, 413 too many members, 422 owners
                team or site-admin group.
        """
        team = self._estate.team(team_id)
        if team.is_owners:
            raise ScimError(422, "Owners team SCIM linking is not yet supported")
        if team.link is not None:
            raise ScimError(409, "Team is already linked to a SCIM group")
        group = self._directory.groups.get(group_id)
        if group is None:
            raise not_there()
        if group_id == self._people.site_admin_group:
            raise ScimError(422, "The site admin group cannot be linked to a team")
        limit = self._directory.behaviour.member_limit
        if len(group.fields.members) > limit:
            raise ScimError(413, f"SCIM group exceeds maximum of {limit} members")
        return self._sync(replace(team, link=Link(group_id, self._clock.wall())), group)

    def cut(self, team_id: str) -> Team:
        """Unlink a team; its members stay.

        Raises:
            ScimError: 404, 409 it is not linked.
        """
        team, _ = self._linked(team_id)
        return self._estate.put(replace(team, link=None))

    def pause(self, team_id: str, *, paused: bool) -> Team:
        """Pause a team or resume it; what it is already is fine, and changes nothing.

        Raises:
            ScimError: 404, 409 it is not linked.
        """
        team, link = self._linked(team_id)
        if link.paused == paused:
            return team
        team = replace(team, link=replace(link, paused=paused))
        if paused:
            return self._estate.put(team)
        return self._sync(team, self._directory.group(link.group_id))

    def stall(self, team_id: str, *, stalled: bool) -> Team:
        """Keep synchronisations from a team, which then lags, or let them come again.

        Raises:
            ScimError: 404, 409 it is not linked.
        """
        team, link = self._linked(team_id)
        return self._estate.put(replace(team, link=replace(link, stalled=stalled)))

    def group_name(self, team: Team) -> str | None:
        """The display name of the group a team is linked to."""
        return None if team.link is None else self._directory.group(team.link.group_id).name

    def _linked(self, team_id: str) -> tuple[Team, Link]:
        team = self._estate.team(team_id)
        if team.link is None:
            raise ScimError(409, "Team is not linked to a SCIM group")
        return team, team.link

    def _follow(self, before: Group | None, after: Group | None) -> None:
        founds = self._directory.behaviour.groups_are_teams
        if before is None:
            if founds and after is not None:
                team = self._estate.form_for_group(after.name)
                self._sync(replace(team, link=Link(after.stamp.id, self._clock.wall())), after)
            return
        for team in self._estate.teams():
            if team.link is None or team.link.group_id != before.stamp.id:
                continue
            if after is None and founds:
                self._estate.disband(team)
            elif after is None:
                self._estate.put(replace(team, link=None))
            elif before.fields.members != after.fields.members:
                self._sync(team, after)

    def _sync(self, team: Team, group: Group) -> Team:
        assert team.link is not None
        if team.link.paused or team.link.stalled:
            return self._estate.put(team)
        members = tuple(self._directory.user(ident).account for ident in group.fields.members)
        link = replace(team.link, synced=self._clock.wall())
        return self._estate.put(replace(team, members=members, link=link))
