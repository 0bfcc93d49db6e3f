"""Reads the admin API on its own schedule and says what follows from it.

Holds are told apart by it, and a resume is noticed within `held_s`; the rest is told to operators.
A part of TFE that does not tell is asked again at its next turn: nothing here keeps changes from
being sent, and a failure of it ends nothing.
"""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import structlog

from relay.delivery.explaining import questioned
from relay.errors import RelayError
from relay.site.findings import findings
from relay.site.picture import LinkedTeam, Picture, Protection, Release, people_of
from relay.store.compare import site as stored
from relay.store.state.holds import HoldName
from relay.target.admin import AdminFailed, SiteState
from relay.telemetry import events

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from relay.clock import Clock
    from relay.delivery.keeper import Keeper
    from relay.site.announcing import Announcer
    from relay.site.findings import Finding
    from relay.site.linking import Linking
    from relay.site.rotating import Rotation, Step
    from relay.store import Store
    from relay.store.file.engine import Connection
    from relay.target.admin import AdminReader, ScimSettings, ScimToken, User

log = structlog.get_logger(__name__)

RELEASE_NOTE: Final = "tfe release"
"""Which TFE answered last, kept in the database."""


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """How often what is read, in seconds.

    Attributes:
        settings_s: SCIM's switches while nothing stands.
        held_s: the same while a hold stands that they explain; their budget is 20 a second.
        tokens_s: SCIM tokens.
        teams_s: teams; a request for each organisation.
        users_s: users; a request for each hundred.
        rotate_before_s: replace our SCIM token so long before it ends; 0: on request only.
    """

    settings_s: float = 60.0
    held_s: float = 2.0
    tokens_s: float = 3_600.0
    teams_s: float = 900.0
    users_s: float = 21_600.0
    rotate_before_s: float = 0.0


class SiteWatch:
    """Watches TFE's own side.

    Args:
        reader: the admin API.
        store: what is protected, when rosters moved, which TFE answered before.
        keeper: holds, which are told what they are.
        announcer: tells operators.
        clock: time.
        rotation: replaces our SCIM token.
        linking: makes team links; it has a loop of its own.
        settings: how often.
    """

    def __init__(
        self,
        *,
        reader: AdminReader,
        store: Store,
        keeper: Keeper,
        announcer: Announcer,
        clock: Clock,
        rotation: Rotation,
        linking: Linking,
        settings: WatchSettings | None = None,
    ) -> None:
        self._reader = reader
        self._store = store
        self._keeper = keeper
        self._announcer = announcer
        self._clock = clock
        self._rotation = rotation
        self.linking: Final = linking
        self._settings = settings or WatchSettings()
        self._seen = Picture()
        self._failed: dict[str, AdminFailed] = {}
        self._due: dict[str, float] = {}
        self._looking = asyncio.Lock()

    @property
    def seen(self) -> Picture:
        """What the admin API last told."""
        return self._seen

    def findings(self) -> list[Finding]:
        """What an operator should know of it now."""
        now = self._clock.wall()
        refused = HoldName.TOKEN in self._keeper.holds
        found = findings(self._seen, now, token_refused=refused)
        return (
            found if self._seen.tokens is not None else [*self._announcer.end.findings(now), *found]
        )

    async def rotate(self, ordered: str) -> Step:
        """Replace our SCIM token now, and read the tokens anew.

        Raises:
            RelayError: it cannot be done, or could not be finished.
        """
        step = await self._rotation.rotate(ordered)
        self._due.pop("tokens", None)
        await self.look()
        return step

    async def run(self) -> None:
        """Read what is due, until cancelled."""
        while True:
            stood = self._questioned()
            await self.look()
            if self._questioned() is stood:
                try:
                    async with asyncio.timeout(self._wait_s()):
                        await self._keeper.holds.changed()
                except TimeoutError:
                    continue
            if self._questioned():
                self._due.pop("settings", None)

    async def look(self, *, everything: bool = False) -> None:
        """Read what is due, or `everything`."""
        async with self._looking:
            if everything:
                self._due.clear()
            await self._look()

    async def _look(self) -> None:
        turns: tuple[tuple[str, Callable[[], Awaitable[None]], float], ...] = (
            ("settings", self._settings_read, self._every_s()),
            ("tokens", self._tokens_read, self._settings.tokens_s),
            ("teams", self._teams_read, self._settings.teams_s),
            ("users", self._users_read, self._settings.users_s),
        )
        for name, read, every_s in turns:
            if self._due.get(name, -math.inf) > self._clock.monotonic():
                continue
            try:
                await read()
                self._failed.pop(name, None)
            except AdminFailed as error:
                self._failed[name] = error
                if name == "settings":
                    await self._keeper.told(None)
            self._due[name] = self._clock.monotonic() + every_s
        await self._version()
        self._seen = replace(self._seen, failed=_different(self._failed.values()))
        self._tell()

    def _questioned(self) -> bool:
        return questioned(self._keeper.holds) is not None

    def _every_s(self) -> float:
        return self._settings.held_s if self._questioned() else self._settings.settings_s

    def _wait_s(self) -> float:
        return max(0.0, min(self._due.values()) - self._clock.monotonic())

    async def _settings_read(self) -> None:
        found = await self._reader.settings()
        was = self._seen.settings
        self._seen = replace(self._seen, settings=found)
        await self._keeper.told(found.state)
        if was is None or was.site_admin_group_id != found.site_admin_group_id:
            await self._protection_read()
        if was is not None and was.state is SiteState.DISABLED is not found.state:
            self._due.pop("tokens", None)

    async def _tokens_read(self) -> None:
        tokens = await self._reader.tokens()
        try:
            await self._rotation.resume()
            ours = await self._rotation.ours() if any(map(self._is_due, tokens)) else None
            if ours is not None and self._is_due(ours):
                await self._rotation.rotate("admin_api.rotate_before")
        except AdminFailed:
            raise
        except RelayError as error:
            log.error(events.TOKEN_NOT_ROTATED, reason=str(error))  # noqa: TRY400 - no fault of ours
        self._seen = replace(self._seen, tokens=tuple(await self._reader.tokens()))

    def _is_due(self, token: ScimToken) -> bool:
        return token.expires - self._clock.wall() < self._settings.rotate_before_s

    async def _teams_read(self) -> None:
        linked = []
        for organization in await self._reader.organizations():
            for team in await self._reader.teams(organization):
                if team.link is None:
                    continue
                at = await self._roster_at(team.link.group_name)
                linked.append(LinkedTeam(team, organization, at))
        parts = tuple(await self._store.desk.parts())
        self._seen = replace(self._seen, teams=tuple(linked), parts=parts)

    async def _roster_at(self, group: str) -> float | None:
        return await self._store.run(lambda tx: stored.roster_at(tx.connection, group))

    async def _users_read(self) -> None:
        self._seen = replace(self._seen, people=people_of(await self._reader.users()))
        await self._protection_read()

    async def _protection_read(self) -> None:
        settings = self._seen.settings
        recovery = () if self._seen.people is None else self._seen.people.recovery
        found = await self._store.run(lambda tx: _protection(tx.connection, settings, recovery))
        self._seen = replace(self._seen, protection=found)

    async def _version(self) -> None:
        """Remember which TFE answers, over restarts; a change of it is told for a week."""
        version = self._reader.version
        known = self._seen.release
        if version is None or (known is not None and known.version == version):
            return
        noted = await self._store.noted(RELEASE_NOTE)
        if noted is not None:
            known = Release(*json.loads(noted))
        if known is None or known.version != version:
            before = None if known is None else known.version
            known = Release(version, before, self._clock.wall())
            kept = json.dumps([known.version, known.before, known.since])
            await self._store.note(RELEASE_NOTE, kept)
        self._seen = replace(self._seen, release=known)

    def _tell(self) -> None:
        now = self._clock.wall()
        tokens = {token.id: token.expires - now for token in self._seen.tokens or ()}
        left = self._announcer.end.left(now) if self._seen.tokens is None else tokens
        unlinked = sum(part.members for part in self._seen.unlinked)
        self._announcer.tell(self.findings(), left, unlinked)


def _different(failed: Iterable[AdminFailed]) -> tuple[AdminFailed, ...]:
    """One failure for each reason: a wrong token fails every question."""
    return tuple({error.reason: error for error in failed}.values())


def _protection(
    connection: Connection, settings: ScimSettings | None, recovery: Sequence[User]
) -> Protection:
    group = False
    if settings is not None and settings.site_admin_group_id is not None:
        name = settings.site_admin_group_name or ""
        group = stored.protects_group(connection, settings.site_admin_group_id, name)
    safe = (u.username for u in recovery if stored.protects_user(connection, (u.username, u.email)))
    return Protection(group, frozenset(safe))
