"""What the admin API last told, as one value: what `status` shows and the findings are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relay.store.operate.status import PartOf
    from relay.target.admin import AdminFailed, ScimSettings, ScimToken, Team, User


@dataclass(frozen=True, slots=True)
class Release:
    """Which TFE answers.

    Attributes:
        version: what `X-TFE-Version` says.
        before: what it said before that, or None.
        since: when it first said so, in seconds since the epoch.
    """

    version: str
    before: str | None
    since: float


@dataclass(frozen=True, slots=True)
class LinkedTeam:
    """A team that follows a group.

    Attributes:
        team: as TFE shows it; its link is never None.
        organization: whose it is.
        roster_at: when TFE last took a change of that group's roster from us; None for never.
    """

    team: Team
    organization: str
    roster_at: float | None


@dataclass(frozen=True, slots=True)
class People:
    """TFE's users, as far as SCIM and its ways out concern them.

    Attributes:
        managed: those whom SCIM manages, with when it last changed each.
        recovery: site administrators whom SCIM does not manage and who may sign in.
    """

    managed: tuple[User, ...]
    recovery: tuple[User, ...]

    @property
    def updated(self) -> float | None:
        """When SCIM last changed one of them, in seconds since the epoch; None for never."""
        changed = (user.scim_updated for user in self.managed if user.scim_updated is not None)
        return max(changed, default=None)


def people_of(users: Sequence[User]) -> People:
    """What matters of TFE's users."""
    managed = tuple(user for user in users if user.scim_managed)
    recovery = [
        user for user in users if user.is_admin and not user.is_suspended and not user.scim_managed
    ]
    return People(managed, tuple(recovery))


@dataclass(frozen=True, slots=True)
class Protection:
    """What the guard protects of what TFE shows.

    Attributes:
        site_admin_group: the group whose members are site administrators.
        recovery: usernames of recovery accounts.
    """

    site_admin_group: bool = False
    recovery: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Picture:
    """TFE's own side; None for what was not read yet.

    Attributes:
        settings: SCIM's switches.
        release: TFE's version.
        tokens: the SCIM tokens that are live.
        teams: those that follow a group.
        people: users.
        protection: what of it the guard protects.
        failed: why the admin API did not tell lately, by what was asked.
        parts: groups that are parts of one larger than TFE takes, with their head counts.
    """

    settings: ScimSettings | None = None
    release: Release | None = None
    tokens: tuple[ScimToken, ...] | None = None
    teams: tuple[LinkedTeam, ...] | None = None
    people: People | None = None
    protection: Protection = Protection()
    failed: tuple[AdminFailed, ...] = ()
    parts: tuple[PartOf, ...] = ()

    @property
    def linked_groups(self) -> frozenset[str] | None:
        """The case-folded names of groups that a team follows; None while nobody knows."""
        if self.teams is None:
            return None
        links = (one.team.link for one in self.teams)
        return frozenset(link.group_name.casefold() for link in links if link is not None)

    @property
    def unlinked(self) -> tuple[PartOf, ...]:
        """Parts with members that no team follows: they get nothing by being in the group."""
        linked = self.linked_groups
        if linked is None:
            return ()
        return tuple(one for one in self.parts if one.members and one.name.casefold() not in linked)
