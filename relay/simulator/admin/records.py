"""What TFE keeps of organisations, teams and their links, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

OWNERS: Final = "owners"
"""The team every organisation has; it cannot be linked (contract, *Admin API*)."""


@dataclass(frozen=True, slots=True)
class Organization:
    """An organisation; its name is its id in the API.

    Attributes:
        name: unique, at most 40 letters, digits, `-`, `_`.
        email: of whoever answers for it.
        external_id: `org-...`.
        created: seconds since the epoch.
    """

    name: str
    email: str
    external_id: str
    created: float


@dataclass(frozen=True, slots=True)
class Link:
    """A team's tie to a SCIM group: a team has one at most, a group any number.

    Attributes:
        group_id: the SCIM group's id.
        paused: the team stays as it is until resumed.
        synced: seconds since the epoch of the last synchronisation.
        stalled: no synchronisation reaches the team although it is not paused: TFE does not do
            this by itself, the control API makes it, to have a team that lags.
    """

    group_id: str
    synced: float
    paused: bool = False
    stalled: bool = False


@dataclass(frozen=True, slots=True)
class Team:
    """A team of an organisation.

    Attributes:
        id: `team-...`.
        organization: the organisation's name.
        name: unique in the organisation.
        visibility: `secret` or `organization`.
        sso_team_id: the SAML group it stands for, or None.
        access: the organisation-level permissions that were set.
        members: usernames, in order of joining.
        link: the SCIM group it follows, or None.
    """

    id: str
    organization: str
    name: str
    visibility: str = "secret"
    sso_team_id: str | None = None
    access: Mapping[str, bool] = field(default_factory=dict)
    members: tuple[str, ...] = ()
    link: Link | None = None

    @property
    def is_owners(self) -> bool:
        """It is the team that came with its organisation."""
        return self.name == OWNERS
