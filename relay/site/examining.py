"""Reads TFE's own side once, without a running relay: what `check` shows of the admin API.

What only the database knows is left out: which team lags, and names that were bound before a
rename. A running relay is asked instead.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from relay.clock import RandomIds, SystemClock
from relay.site.findings import findings
from relay.site.picture import LinkedTeam, Picture, Protection, people_of
from relay.target import TargetClient, TokenFile
from relay.target.admin import AdminFailed, AdminReader, Budgets, admin_endpoint
from relay.target.way import way_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from relay.settings import Settings
    from relay.site.findings import Finding
    from relay.target.way import Way


@asynccontextmanager
async def reading(url: str, token_file: Path, way: Way) -> AsyncIterator[AdminReader]:
    """A reader of the admin API at this address."""
    endpoint = admin_endpoint(url, way=way)
    async with TargetClient(endpoint, TokenFile(token_file), SystemClock()) as client:
        yield AdminReader(client, Budgets(), RandomIds())


async def examine(settings: Settings) -> list[Finding]:
    """What an operator should know of TFE's own side; nothing without an admin API."""
    admin = settings.admin_api
    if admin.token_file is None:
        return []
    async with reading(admin.url, admin.token_file, way_of(settings.target)) as reader:
        try:
            seen = await _read(reader, settings)
        except AdminFailed as error:
            seen = Picture(failed=(error,))
    return findings(seen, SystemClock().wall())


async def _read(reader: AdminReader, settings: Settings) -> Picture:
    switches = await reader.settings()
    tokens = tuple(await reader.tokens())
    people = people_of(await reader.users())
    teams = [
        LinkedTeam(team, organization, None)
        for organization in await reader.organizations()
        for team in await reader.teams(organization)
        if team.link is not None
    ]
    groups = {name.casefold() for name in settings.guard.protected_groups}
    users = {name.casefold() for name in settings.guard.protected_users}
    safe = [
        one for one in people.recovery if {one.username.casefold(), one.email.casefold()} & users
    ]
    protection = Protection(
        (switches.site_admin_group_name or "").casefold() in groups,
        frozenset(one.username for one in safe),
    )
    return Picture(switches, None, tokens, tuple(teams), people, protection)
