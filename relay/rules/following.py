"""Why a person is not in a team: the membership of its group, and the teams that follow that.

TFE gives nobody anything by a group alone: a team has to follow it, and not be paused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.rules.standing import Finding, Why, explain_pending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relay.rules.facts import Facts, Follower, Membership, Standing


def explain_membership(
    one: Membership,
    facts: Facts,
    holds: Sequence[Standing],
    teams: Sequence[Follower] | None,
) -> Finding:
    """What keeps a user from what a group gives, or from leaving it.

    Args:
        one: the membership.
        facts: of the user.
        holds: those that stand.
        teams: that follow the group, or the part of it the user is in; None: nobody can tell.
    """
    if one.pending is not None:
        return explain_pending(one.pending, facts, holds)
    if one.wanted and not one.confirmed:
        cause = f"Terraform Enterprise does not have the membership of {one.group} yet"
        return Finding(Why.QUEUED, cause, f"`scim-relay explain group {one.group}`")
    return follows(one.part or one.group, teams)


def follows(group: str, teams: Sequence[Follower] | None) -> Finding:
    """What a group that TFE has gives its members."""
    if teams is None:
        return Finding(
            Why.IN_STEP,
            f"Terraform Enterprise confirmed it; whether a team follows {group} is not known here",
            "set [admin_api], or look at the team's SCIM settings in TFE",
        )
    if not teams:
        return Finding(
            Why.NO_TEAM,
            f"no team follows the group {group}: being in it gives nothing",
            "link a team to it (docs/how-to/link-teams.md)",
        )
    paused = [one.team for one in teams if one.paused]
    if paused:
        return Finding(
            Why.TEAM_PAUSED,
            f"the group {group} is right, and {', '.join(paused)} is paused: it does not follow it",
            "resume it in the team's SCIM settings; it then takes over the group as it is",
        )
    names = ", ".join(one.team for one in teams)
    return Finding(Why.IN_STEP, f"Terraform Enterprise confirmed it; {names} follows {group}")
