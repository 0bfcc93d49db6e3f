"""What an operator should know of TFE's own side: cause and next step, from one picture of it.

Pure. The thresholds of a token's end are the issue's: 30, 14 and 3 days; TFE itself never warns
(contract, *States an operator can put TFE in*).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from relay.target.admin import Reason, SiteState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relay.site.picture import LinkedTeam, Picture
    from relay.store.operate.status import PartOf
    from relay.target.admin import AdminFailed, ScimToken

DAY_S: Final = 86_400.0
TOKEN_WARN_DAYS: Final = (3, 14, 30)
"""A token's end is told when it is nearer than the last, and again at each of the others."""

LAG_S: Final = 300.0
"""A team that has not followed its group for so long lags; TFE synchronises within a minute."""

RELEASE_TOLD_S: Final = 7 * DAY_S
"""A change of TFE's version is shown for a week."""


class Trouble(StrEnum):
    """The kinds of findings: a label of the metric."""

    ADMIN_API = "admin_api"  # it does not tell
    SITE_PAUSED = "site_paused"
    SITE_DISABLED = "site_disabled"
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - a name; SCIM runs and refuses our token
    TOKEN_ENDS = "token_ends"  # noqa: S105 - a name
    SITE_ADMIN_GROUP = "site_admin_group"  # the guard does not protect it
    RECOVERY_ACCOUNT = "recovery_account"  # there is none, or the guard does not protect it
    TEAM_PAUSED = "team_paused"
    TEAM_LAGS = "team_lags"
    PART_UNLINKED = "part_unlinked"  # a part of a large group gives its members nothing
    VERSION_CHANGED = "version_changed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing an operator should know.

    Attributes:
        what: its kind.
        subject: which token, team or account; with the kind it names the finding.
        cause: what is seen.
        cure: the next step.
        urgent: it keeps changes from being sent, or soon will.
    """

    what: Trouble
    subject: str
    cause: str
    cure: str
    urgent: bool = False


def findings(seen: Picture, now: float, *, token_refused: bool = False) -> list[Finding]:
    """Everything that a picture shows, urgent findings first.

    Args:
        seen: what the admin API told.
        now: seconds since the epoch.
        token_refused: TFE's SCIM side answers 401 to the relay.
    """
    found = [
        *map(_failed, seen.failed),
        *_state(seen, token_refused=token_refused),
        *_tokens(seen.tokens or (), now),
        *_guarded(seen),
        *_release(seen, now),
        *map(_unlinked, seen.unlinked),
    ]
    for one in seen.teams or ():
        found += _team(one, now)
    return sorted(found, key=lambda one: not one.urgent)


def days_left(token: ScimToken, now: float) -> float:
    """Days until a token ends; negative once it has ended."""
    return (token.expires - now) / DAY_S


def _failed(error: AdminFailed) -> Finding:
    cure = {
        Reason.TOKEN: "write a site administrator's token to admin_api.token_file",
        Reason.NOT_ALLOWED: "make the token's user a site administrator, or use another's token",
        Reason.NO_SCIM: "SCIM needs Terraform Enterprise 2.0",
    }.get(error.reason, "it is asked again; look at TFE if it stays")
    return Finding(Trouble.ADMIN_API, error.reason.value, str(error), cure)


def _state(seen: Picture, *, token_refused: bool) -> Iterator[Finding]:
    state = seen.settings and seen.settings.state
    if state is SiteState.PAUSED:
        yield Finding(
            Trouble.SITE_PAUSED,
            "scim",
            "SCIM provisioning is paused in Terraform Enterprise; everything is kept",
            "a site administrator resumes it in TFE's SCIM settings; nothing is lost",
            urgent=True,
        )
    elif state is SiteState.DISABLED:
        yield Finding(
            Trouble.SITE_DISABLED,
            "scim",
            "SCIM is disabled in Terraform Enterprise: its identities, groups, links and tokens"
            " are deleted",
            "enable SCIM, make a SCIM token, write it to target.token_file, then"
            " `scim-relay rebuild`",
            urgent=True,
        )
    elif token_refused:
        yield Finding(
            Trouble.TOKEN_REFUSED,
            "scim",
            "SCIM runs in Terraform Enterprise, yet it refuses the relay's token (401): ended,"
            " revoked, or of another kind",
            "make a SCIM token in TFE and write it to target.token_file",
            urgent=True,
        )


def _tokens(tokens: tuple[ScimToken, ...], now: float) -> Iterator[Finding]:
    for token in tokens:
        left = days_left(token, now)
        limit = next((days for days in TOKEN_WARN_DAYS if left <= days), None)
        if limit is None:
            continue
        name = f"{token.id} ({token.description})" if token.description else token.id
        used = (
            "never used" if token.last_used is None else f"last used {_ago(token.last_used, now)}"
        )
        yield Finding(
            Trouble.TOKEN_ENDS,
            f"{token.id} at {limit} days",
            f"the SCIM token {name} ends in {max(left, 0.0):.1f} days; {used}",
            "`scim-relay token rotate` if it is the relay's, or write another one to"
            " target.token_file; delete it if nobody uses it",
            urgent=limit == TOKEN_WARN_DAYS[0],
        )


def _guarded(seen: Picture) -> Iterator[Finding]:
    name = seen.settings and seen.settings.site_admin_group_name
    if name and not seen.protection.site_admin_group:
        yield Finding(
            Trouble.SITE_ADMIN_GROUP,
            name,
            f"whoever is in the group {name} is site administrator, and the guard does not"
            " protect it",
            f'add "{name}" to guard.protected_groups',
        )
    if seen.people is None:
        return
    if not seen.people.recovery:
        yield Finding(
            Trouble.RECOVERY_ACCOUNT,
            "",
            "every site administrator comes from the identity provider: when it fails, nobody"
            " can sign in to mend it",
            "keep one site administrator in TFE whom SCIM does not manage",
        )
    elif not seen.protection.recovery:
        names = ", ".join(user.username for user in seen.people.recovery)
        yield Finding(
            Trouble.RECOVERY_ACCOUNT,
            names,
            f"no recovery account is protected by the guard: {names}; an identity provider that"
            " has the same address takes it over",
            "name the account's address in guard.protected_users",
        )


def _release(seen: Picture, now: float) -> Iterator[Finding]:
    release = seen.release
    if release is None or release.before is None or now - release.since > RELEASE_TOLD_S:
        return
    yield Finding(
        Trouble.VERSION_CHANGED,
        release.version,
        f"Terraform Enterprise is {release.version}, was {release.before}",
        "read its release notes on SCIM; `scim-relay reconcile --dry-run` shows what differs",
    )


def _team(one: LinkedTeam, now: float) -> Iterator[Finding]:
    team, link = one.team, one.team.link
    assert link is not None
    name = f"{one.organization}/{team.name} ({team.id})"
    if link.paused:
        yield Finding(
            Trouble.TEAM_PAUSED,
            team.id,
            f"the team {name} is paused: it does not follow the group {link.group_name}",
            "resume it in the team's SCIM settings; it then takes over the group as it is",
        )
        return
    if one.roster_at is None or now - one.roster_at <= LAG_S:
        return
    if link.synced is None or link.synced < one.roster_at - LAG_S:
        synced = "never" if link.synced is None else _ago(link.synced, now)
        yield Finding(
            Trouble.TEAM_LAGS,
            team.id,
            f"the team {name} lags behind the group {link.group_name}: TFE took the group's"
            f" members {_ago(one.roster_at, now)}, the team followed {synced}",
            "pause and resume the team's synchronisation; then look at TFE's logs",
        )


def _unlinked(part: PartOf) -> Finding:
    return Finding(
        Trouble.PART_UNLINKED,
        part.name,
        f"no team follows the group {part.name}, a part of {part.group}: its {part.members}"
        " members get nothing by being in it",
        f"link a team to {part.name}, with the permissions of the team that {part.group} has",
    )


def _ago(at: float, now: float) -> str:
    """`3.2 hours ago`: enough for a person."""
    ago = max(0.0, now - at)
    for unit, length in (("days", DAY_S), ("hours", 3600.0), ("minutes", 60.0)):
        if ago >= length:
            return f"{ago / length:.1f} {unit} ago"
    return "just now"
