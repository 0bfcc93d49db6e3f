"""TFE's own side as JSON, for `status` and `check`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from relay.site.findings import days_left

if TYPE_CHECKING:
    from relay.rules.types import Json, JsonObject
    from relay.site.findings import Finding
    from relay.site.picture import LinkedTeam, Picture
    from relay.site.watch import SiteWatch
    from relay.target.admin import ScimToken


def told(watch: SiteWatch, now: float) -> JsonObject:
    """What the admin API last told, and what follows; null for what was not read yet."""
    seen = watch.seen
    people = seen.people
    return {
        "scim": None if seen.settings is None else seen.settings.state.value,
        "version": None if seen.release is None else seen.release.version,
        "site_admin_group": _site_admin_group(seen),
        "recovery_accounts": _recovery(seen),
        "managed_users": None if people is None else len(people.managed),
        "users_updated": None if people is None else moment(people.updated),
        "tokens": None if seen.tokens is None else [_token(one, now) for one in seen.tokens],
        "teams": None if seen.teams is None else [_team(one) for one in seen.teams],
        "findings": [finding(one) for one in watch.findings()],
    }


def finding(one: Finding) -> JsonObject:
    """One finding: cause and next step."""
    return {
        "what": one.what.value,
        "urgent": one.urgent,
        "cause": one.cause,
        "cure": one.cure,
    }


def users_told(watch: SiteWatch) -> list[Json]:
    """Each user whom SCIM manages, and when SCIM last changed it; oldest first."""
    people = watch.seen.people
    managed = () if people is None else people.managed
    return [
        {
            "username": one.username,
            "scim_username": one.scim_username,
            "scim_updated": moment(one.scim_updated),
            "suspended": one.is_suspended,
        }
        for one in sorted(managed, key=lambda one: one.scim_updated or 0.0)
    ]


def moment(at: float | None) -> str | None:
    """Seconds since the epoch as RFC 3339 text in UTC."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")[:-6] + "Z"


def _site_admin_group(seen: Picture) -> Json:
    name = seen.settings and seen.settings.site_admin_group_name
    if not name:
        return None
    return {"name": name, "protected": seen.protection.site_admin_group}


def _recovery(seen: Picture) -> Json:
    if seen.people is None:
        return None
    return [
        {"username": one.username, "protected": one.username in seen.protection.recovery}
        for one in seen.people.recovery
    ]


def _token(one: ScimToken, now: float) -> Json:
    return {
        "id": one.id,
        "description": one.description,
        "ends": moment(one.expires),
        "days_left": round(days_left(one, now), 1),
        "last_used": moment(one.last_used),
    }


def _team(one: LinkedTeam) -> Json:
    link = one.team.link
    assert link is not None
    return {
        "id": one.team.id,
        "team": f"{one.organization}/{one.team.name}",
        "group": link.group_name,
        "paused": link.paused,
        "synced": moment(link.synced),
        "members_changed": moment(one.roster_at),
    }
