"""What operators and Prometheus are told of a running relay, from one consistent reading."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from relay.errors import Unavailable
from relay.explaining import told_of
from relay.gauging import Gauging
from relay.inbound import tokens_told
from relay.ops.errors import NotFound
from relay.orders import filter_of
from relay.rules.conditions import HOLDS, advice, next_step
from relay.site.telling import told, users_told
from relay.store.state.holds import HoldName
from relay.telemetry.metrics import Snapshot as Gauges

if TYPE_CHECKING:
    from pathlib import Path

    from relay.clock import Clock
    from relay.delivery.importer import Importer
    from relay.delivery.keeper import Keeper
    from relay.draining import Draining
    from relay.front.auth import TokenTable
    from relay.ops.control import Route
    from relay.pace import Pacer
    from relay.rules.types import Json, JsonObject
    from relay.settings import Settings
    from relay.site.expiry import ConfiguredEnd
    from relay.site.watch import SiteWatch
    from relay.store import Store
    from relay.store.operate.status import Refused, Snapshot
    from relay.store.state.holds import Hold
    from relay.telemetry.metrics import Metrics

EVERY_S: Final = 2.0

PATIENCE_S: Final = 0.5
"""What is about to be written is waited for so long."""


class Reporter:
    """Answers `status` and `changes`, and keeps the gauges in step."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        metrics: Metrics,
        pacer: Pacer,
        importer: Importer,
        keeper: Keeper,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._store = store
        self._metrics = metrics
        self._pacer = pacer
        self._importer = importer
        self._keeper = keeper
        self._clock = clock
        self._gauging = Gauging(store, metrics.flow, clock)
        self.draining: Draining | None = None
        """Tells whether writes are taken."""
        self.site: SiteWatch | None = None
        """Tells of TFE's own side; None without its admin API."""
        self.tokens: TokenTable | None = None
        """The identity providers' tokens."""
        self.end: ConfiguredEnd | None = None
        """When TFE's token ends, by the configuration."""

    async def run(self) -> None:
        """Set the gauges every two seconds, until cancelled."""
        while True:
            now = await self._store.snapshot()
            self._metrics.observe(self._gauges(now))
            await self._gauging.observe(now)
            self._metrics.target.paced(self._pacer.rate)
            await asyncio.sleep(EVERY_S)

    def routes(self) -> dict[str, Route]:
        """What the control socket answers."""
        return {
            "status": self._status,
            "shape": self._shape,
            "changes/list": self._changes,
            "changes/show": self._change,
            "site": self._site,
            "token/rotate": self._rotate,
        }

    def _age(self, at: float | None) -> float:
        return 0.0 if at is None else round(max(0.0, self._clock.wall() - at), 3)

    def _gauges(self, now: Snapshot) -> Gauges:
        path = self._settings.store.path
        standing = {hold.name for hold in now.holds}
        return Gauges(
            queue={state: now.counters.get(state, 0) for state in ("pending", "parked")},
            owed_revocations=now.owed,
            oldest_owed_revocation_age_s=self._age(now.oldest_owed_at),
            oldest_pending_age_s=self._age(now.oldest_pending_at),
            holds={hold.value: hold in standing for hold in HoldName},
            groups_near_limit=now.near_limit,
            held_effects=now.held,
            store_db_bytes=_size(path),
            store_wal_bytes=_size(path.with_name(path.name + "-wal")),
            store_free_bytes=shutil.disk_usage(path.parent).free,
            import_progress=self._progress(),
        )

    def _progress(self) -> float:
        at = self._importer.state
        if at.done:
            return 1.0
        return 0.0 if not at.total else min(1.0, (at.start - 1) / at.total)

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
            "import": "complete" if self._importer.complete else f"{self._progress():.0%}",
            "drift": dict[str, "Json"]((await self._store.comparison.sweep()).found),
            "draining": None if self.draining is None else self.draining.reason,
            "disk_full": self._store.directory.full,
            "inbound_tokens": self._tokens(),
            "target_token": self._target_token(),
            "site": None if self.site is None else told(self.site, self._clock.wall()),
        }

    def _tokens(self) -> list[Json]:
        if self.tokens is None:
            return []
        return list(tokens_told(self.tokens, self._clock.wall()))

    def _target_token(self) -> Json:
        """The end that the configuration tells; None where the admin API tells it, or nobody."""
        if self.end is None or (self.site is not None and self.site.seen.tokens is not None):
            return None
        return self.end.shown(self._clock.wall())

    async def _shape(self, _arguments: JsonObject, _actor: str) -> Json:
        """What waits, by kind, cause and age."""
        return list(await self._store.desk.shape())

    async def _site(self, arguments: JsonObject, _actor: str) -> Json:
        """TFE's own side, read anew; or its users one by one."""
        if self.site is None:
            raise NotFound("no admin API is configured; see admin_api.url")
        await self.site.look(everything=True)
        if arguments.get("users"):
            return users_told(self.site)
        return told(self.site, self._clock.wall())

    async def _rotate(self, arguments: JsonObject, actor: str) -> Json:
        """Replace the SCIM token in `target.token_file`."""
        if self.site is None:
            raise NotFound("no admin API is configured; see admin_api.url")
        step = await self.site.rotate(f"{actor}: {arguments.get('reason')}")
        return {"new": step.new, "description": step.description, "deleted": step.old}

    async def _written(self) -> Snapshot:
        """A reading that has the row of every hold, unless the disk takes none."""
        now = await self._store.snapshot()
        written = {hold.name for hold in now.holds}
        if all(hold.name in written for hold in self._keeper.standing):
            return now
        with suppress(TimeoutError, Unavailable):
            async with asyncio.timeout(PATIENCE_S):
                await self._store.pulse()
        return await self._store.snapshot()

    def _standing(self, now: Snapshot) -> list[Hold]:
        """All holds: a result raises one at once, and its row comes with the result's commit."""
        written = {hold.name for hold in now.holds}
        unwritten = [hold for hold in self._keeper.standing if hold.name not in written]
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

    async def _changes(self, arguments: JsonObject, _actor: str) -> Json:
        limit = arguments.get("limit")
        wanted = filter_of(arguments, self._clock.wall())
        rows = await self._store.changes(wanted, limit if isinstance(limit, int) else 100)
        return [self._row(row) for row in rows]

    def _row(self, row: JsonObject) -> JsonObject:
        status, detail, at = row["status"], row["detail"], row["at"]
        reason = " ".join(str(part) for part in (status, detail) if part is not None)
        age = self._age(at if isinstance(at, int | float) else None)
        return {**row, "change": row["id"], "age_s": age, "reason": reason}

    async def _change(self, arguments: JsonObject, _actor: str) -> Json:
        number = arguments.get("change")
        row = await self._store.change(number) if isinstance(number, int) else None
        if row is None:
            raise NotFound(f"no change has the number {number}")
        return self._row(row) | await told_of(self._store, self._keeper, row)


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


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
