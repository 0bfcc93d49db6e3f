"""What operators are told of a running relay at a glance: `status` and `shape`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from relay.clock import age_s
from relay.errors import Unavailable
from relay.orders.tokens import tokens_told
from relay.rules.conditions import HOLDS, advice, next_step
from relay.site.telling import told

if TYPE_CHECKING:
    from relay.clock import Clock
    from relay.delivery.importer import Importer
    from relay.delivery.keeper import Keeper
    from relay.front.auth import TokenTable
    from relay.ops.control import Route
    from relay.orders.draining import Draining
    from relay.pace import Pacer
    from relay.rules.types import Json, JsonObject
    from relay.settings import Settings
    from relay.site.expiry import ConfiguredEnd
    from relay.site.watch import SiteWatch
    from relay.store import Store
    from relay.store.operate.status import Refused, Snapshot
    from relay.store.state.holds import Hold

PATIENCE_S: Final = 0.5
"""What is about to be written is waited for so long."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What operators see besides delivery.

    Attributes:
        site: watches TFE's own side, or None without its admin API.
        end: of TFE's token, by the configuration.
        draining: whether writes are taken.
        tokens: the connections and their live tokens.
    """

    site: SiteWatch | None
    end: ConfiguredEnd
    draining: Draining
    tokens: TokenTable


class Status:
    """Answers `status` and `shape`, each from one consistent reading.

    Args:
        settings: what the relay runs with.
        store: whose state.
        pacer: the rate now.
        importer: how far the directory is filled.
        keeper: the holds.
        clock: time.
        seen: TFE's own side, tokens, whether it drains.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        pacer: Pacer,
        importer: Importer,
        keeper: Keeper,
        clock: Clock,
        seen: Seen,
    ) -> None:
        self._settings = settings
        self._store = store
        self._pacer = pacer
        self._importer = importer
        self._keeper = keeper
        self._clock = clock
        self._seen = seen

    def routes(self) -> dict[str, Route]:
        """What the control socket answers."""
        return {"status": self._status, "shape": self._shape}

    async def _status(self, _arguments: JsonObject, _actor: str) -> Json:
        now, census = await self._written(), await self._store.census()
        return {
            "target": self._settings.target.url,
            "users": census.users,
            "groups": census.groups,
            "changes": dict[str, "Json"](now.counters),
            "lanes": dict[str, "Json"](census.lanes),
            "oldest_pending_age_s": self._age(now.oldest_pending_at),
            "owed_revocations": now.owed,
            "oldest_owed_revocation_age_s": self._age(now.oldest_owed_at),
            "held_effects": now.held,
            "groups_near_limit": now.near_limit,
            "parts": [
                {
                    "group": one.group,
                    "part": one.name,
                    "members": one.members,
                    "refused": one.refused,
                }
                for one in await self._store.desk.parts()
            ],
            "holds": [self._hold(hold) for hold in self._standing(now)],
            "refused": [_refused(one) for one in census.refused],
            "rate": round(self._pacer.rate, 2),
            "rate_configured": self._settings.target.rate,
            "import": "complete" if self._importer.complete else f"{self._importer.progress:.0%}",
            "drift": dict[str, "Json"]((await self._store.comparison.sweep()).found),
            "draining": self._seen.draining.reason,
            "disk_full": self._store.directory.full,
            "disk_trouble": self._store.directory.trouble,
            "inbound_tokens": list(tokens_told(self._seen.tokens, self._clock.wall())),
            "target_token": self._target_token(),
            "site": None if self._seen.site is None else told(self._seen.site, self._clock.wall()),
        }

    def _target_token(self) -> Json:
        """The end that the configuration tells; None where the admin API tells it, or nobody."""
        if self._seen.site is not None and self._seen.site.seen.tokens is not None:
            return None
        return self._seen.end.shown(self._clock.wall())

    async def _shape(self, _arguments: JsonObject, _actor: str) -> Json:
        """What waits, by kind, cause and age."""
        return list(await self._store.desk.shape())

    async def _written(self) -> Snapshot:
        """A reading that has the row of every hold, unless the disk takes none."""
        now = await self._store.snapshot()
        written = {hold.name for hold in now.holds}
        if all(hold.name in written for hold in self._keeper.holds.standing):
            return now
        with suppress(TimeoutError, Unavailable):
            async with asyncio.timeout(PATIENCE_S):
                await self._store.pulse()
        return await self._store.snapshot()

    def _standing(self, now: Snapshot) -> list[Hold]:
        """All holds: a result raises one at once, and its row comes with the result's commit."""
        written = {hold.name for hold in now.holds}
        unwritten = [hold for hold in self._keeper.holds.standing if hold.name not in written]
        return [*unwritten, *now.holds]

    def _hold(self, hold: Hold) -> JsonObject:
        """A hold as an operator sees it; `next_look_s` is None if only an operator ends it."""
        next_look_s = self._keeper.next_look_s(hold.name)
        return {
            "hold": hold.name.value,
            "since": _moment(hold.since),
            "since_s": self._age(hold.since),
            "until_s": None if hold.until is None else -self._ago(hold.until),
            "next_look_s": None if next_look_s is None else round(next_look_s, 3),
            "reason": hold.reason,
            "cause": HOLDS[hold.name.value].cause,
            "cure": HOLDS[hold.name.value].cure,
        }

    def _ago(self, at: float) -> float:
        return round(self._clock.wall() - at, 3)

    def _age(self, at: float | None) -> float:
        return 0.0 if at is None else age_s(self._clock, at)


def _refused(one: Refused) -> JsonObject:
    """What TFE refused for one reason: how much of it, what it means and what to do."""
    told = advice(one.status, one.kind)
    return {
        "what": one.what,
        "kind": one.kind,
        "status": one.status,
        "count": one.count,
        "condition": told.condition.value,
        "cause": told.cause,
        "cure": next_step(told) if one.what == "parked" else told.cure,
    }


def _moment(at: float) -> str:
    """Seconds since the epoch as RFC 3339 text in UTC, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
