"""Which declared team links stand, which are to be made, and why one cannot be: pure.

A team follows one group; TFE shows the group's name, never its id. The causes are those of TFE's
troubleshooting guide (contract, *Admin API*).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from relay.target.admin import AdminFailed, Team


class Standing(StrEnum):
    """How a team stands."""

    LINKED = "linked"  # as declared
    TO_LINK = "to link"
    OTHER = "linked to another group"  # only unlinked when asked
    UNDECLARED = "not declared"  # linked, though the configuration does not say so
    NO_GROUP = "no such group"  # not yet: it may be on its way
    NO_TEAM = "no such team"
    FAILED = "failed"  # TFE refused it


@dataclass(frozen=True, slots=True)
class Wanted:
    """One declared link: the group's name, and the team by id or as `organization/name`."""

    group: str
    team: str


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a plan.

    Attributes:
        group: the declared group's name; for `UNDECLARED` the one it follows.
        team: as declared; for `UNDECLARED` `organization/name`.
        standing: how it stands.
        team_id: TFE's id of the team, or None.
        group_id: TFE's id of the group, or None.
        detail: cause and next step, or empty.
    """

    group: str
    team: str
    standing: Standing
    team_id: str | None = None
    group_id: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Estate:
    """What TFE has.

    Attributes:
        teams: every team by id, with its organization.
        groups: ids of groups by case-folded name.
        parts: names of an overflowed group's further parts, by its case-folded name.
    """

    teams: Mapping[str, tuple[str, Team]]
    groups: Mapping[str, str]
    parts: Mapping[str, Sequence[str]]


def plan(wanted: Sequence[Wanted], estate: Estate) -> list[Item]:
    """How every declared link stands, then what is linked and not declared."""
    by_name = {
        f"{organization}/{team.name}".casefold(): team
        for organization, team in estate.teams.values()
    }
    items, named = [], set()
    for one in wanted:
        _, team = estate.teams.get(one.team, ("", None))
        team = team or by_name.get(one.team.casefold())
        items.append(_item(one, team, estate))
        named.add(None if team is None else team.id)
    for ident, (organization, team) in estate.teams.items():
        if team.link is not None and ident not in named:
            name = f"{organization}/{team.name}"
            items.append(Item(team.link.group_name, name, Standing.UNDECLARED, ident))
    return items


def _item(one: Wanted, team: Team | None, estate: Estate) -> Item:
    if team is None:
        detail = "it is not there, or the admin token may not see it"
        return Item(one.group, one.team, Standing.NO_TEAM, detail=detail)
    group = estate.groups.get(one.group.casefold())
    further = ", ".join(estate.parts.get(one.group.casefold(), ()))
    detail = f"members past 1,000 are in {further}: declare teams for these too" if further else ""
    if team.link is not None and team.link.group_name.casefold() == one.group.casefold():
        return Item(one.group, one.team, Standing.LINKED, team.id, group, detail)
    if team.link is not None:
        detail = f"it follows {team.link.group_name}; `links apply --unlink` takes it from there"
        return Item(one.group, one.team, Standing.OTHER, team.id, group, detail)
    if group is None:
        detail = "Terraform Enterprise has no group of this name yet"
        return Item(one.group, one.team, Standing.NO_GROUP, team.id, None, detail)
    return Item(one.group, one.team, Standing.TO_LINK, team.id, group, detail)


_WHY: Final = {
    404: "team or group is not there any more",
    409: "the team follows another group already: unlink it first",
    413: "the group has over 1,000 members: `groups.oversize`, or a smaller group",
    422: "TFE links neither an owners team nor the site-admin group",
    500: "linking took over 30 s and was rolled back whole: it is tried again",
}


def explained(error: AdminFailed) -> str:
    """Why a team could not be linked, in the words of the guide, with TFE's own."""
    why = _WHY.get(error.status or 0)
    return f"{why}; {error}" if why else str(error)
