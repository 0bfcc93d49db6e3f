"""Reading an existing TFE into the directory at first start, inside the rate and resumable (K6).

Pages of 200 until a whole pass finds nothing new. Whatever stands in the way (pause, token, outage)
raises the same holds as delivery's own requests, and the import goes on from the page it stood at.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from relay.rules import reads
from relay.rules.shadow import TargetResource, readable
from relay.rules.verdict import Outcome, Verdict
from relay.store.compare.importing import ImportState
from relay.telemetry import events

if TYPE_CHECKING:
    from relay.clock import Clock
    from relay.delivery.health import Health
    from relay.delivery.holds import Holds
    from relay.delivery.sender import Sender
    from relay.rules.planner_types import Request
    from relay.rules.types import Kind
    from relay.store import Store
    from relay.store.compare.restoring import Unread

log = structlog.get_logger(__name__)

PAGE: Final = 200
"""`count` is capped at this (contract, *Limits*)."""
RETRY_S: Final = 1.0
IMPORT_LANE: Final = -1
"""Stands for the import where results of lanes are compared."""
TOKEN_NOTE: Final = "token accepted"  # noqa: S105 - a note's key


@dataclass(frozen=True, slots=True)
class Listed:
    """A page as TFE gave it."""

    resources: tuple[TargetResource, ...]
    total: int


class Importer:
    """Fills the directory, and looks single resources up until it is full.

    Args:
        store: the directory.
        sender: asks TFE; the import's requests count like any other.
        holds: that stand.
        health: whose trouble it is.
        clock: time.
    """

    def __init__(
        self,
        *,
        store: Store,
        sender: Sender,
        holds: Holds,
        health: Health,
        clock: Clock,
    ) -> None:
        self._store = store
        self._sender = sender
        self._holds = holds
        self._health = health
        self._clock = clock
        self._state = ImportState()
        self._accepted = False

    @property
    def complete(self) -> bool:
        """Whether the directory holds all that TFE held."""
        return self._state.done

    @property
    def progress(self) -> float:
        """How much of TFE was read, from 0 to 1."""
        at = self._state
        if at.done:
            return 1.0
        return 0.0 if not at.total else min(1.0, (at.start - 1) / at.total)

    @property
    def state(self) -> ImportState:
        """Where it stands."""
        return self._state

    @property
    def token_accepted(self) -> bool:
        """Whether TFE ever accepted the token of this database."""
        return self._accepted

    async def load(self) -> None:
        """Take over where an earlier process stood."""
        self._state = await self._store.import_state()
        self._accepted = await self._store.noted(TOKEN_NOTE) is not None

    async def run(self) -> None:
        """Have the token accepted once, then read page by page until a pass finds nothing new."""
        while not self._accepted:
            verdict = await self.ask(reads.discovery(), "token check")
            if verdict.outcome is Outcome.DELIVERED:
                await self._store.note(TOKEN_NOTE, "yes")
                self._accepted = True
        began = self._clock.monotonic()
        while not self._state.done:
            await self._page()
        await self._restored()
        log.info(
            events.IMPORT_COMPLETED,
            read=self._state.seen,
            took_s=round(self._clock.monotonic() - began, 3),
        )
        self._store.work.set()

    async def _page(self) -> None:
        at, began = self._state, self._clock.wall()
        verdict = await self.ask(reads.page(at.kind, at.start, PAGE), "import")
        found = listed(at.kind, verdict)
        if found is None:
            return
        self._state = await self._store.take_page(at, found.resources, found.total, began)
        log.info(
            events.IMPORT_PROGRESSED,
            kind=at.kind.value,
            read=at.start - 1 + len(found.resources),
            total=found.total,
        )

    async def _restored(self) -> None:
        """After a restore: what no page named is asked for by id, TFE may have it no more."""
        after = 0
        while batch := await self._store.comparison.unread(after):
            for one in batch:
                after = one.resource
                await self._look_for(one)
        await self._store.comparison.read_whole()

    async def _look_for(self, one: Unread) -> None:
        while True:
            began = self._clock.wall()
            verdict = await self.ask(reads.by_id(one.kind, one.target_id), "import")
            if verdict.outcome is Outcome.MISSING:
                await self._store.comparison.lost(one, began)
                return
            if verdict.outcome is Outcome.DELIVERED:
                found = readable(one.kind, verdict.resource)
                if found is not None and found.id == one.target_id:
                    await self._store.take(one.kind, found, began)
                return

    async def fetch(self, kind: Kind, attribute: str, value: str) -> bool:
        """Look one resource up in TFE and take it in; False when TFE cannot be asked now.

        Args:
            kind: of which type.
            attribute: `id`, `userName`, `displayName` or `externalId`.
            value: what to look for; whatever comes back is compared before it is used.
        """
        if self._holds.unreadable or not self._accepted:
            return False
        began = self._clock.wall()
        by_id = attribute == "id"
        request = reads.by_id(kind, value) if by_id else reads.find(kind, attribute, value)
        verdict = await self._once(request, "look-up")
        if verdict.outcome is Outcome.MISSING:
            return True
        if verdict.outcome is not Outcome.DELIVERED:
            return False
        entries = [verdict.resource] if by_id else (_entries(verdict) or [])
        for entry in entries:
            found = readable(kind, entry)
            if found is not None and _is_asked(found, attribute, value):
                await self._store.take(kind, found, began)
        return True

    async def ask(self, request: Request, purpose: str) -> Verdict:
        """Send a read once no hold stands; trouble raises holds as it does for attempts."""
        while self._holds.unreadable:
            await self._holds.changed()
        verdict = await self._once(request, purpose)
        hold = self._health.note(
            IMPORT_LANE,
            verdict,
            now_s=self._clock.monotonic(),
            wall_s=self._clock.wall(),
            unit=0.5,
            writes=False,
        )
        if hold is not None:
            self._holds.raised(hold)
            await self._store.raise_hold(hold.name, hold.reason, hold.until)
        elif verdict.outcome not in (Outcome.DELIVERED, Outcome.MISSING):
            await asyncio.sleep(RETRY_S)
        return verdict

    async def _once(self, request: Request, purpose: str) -> Verdict:
        return await self._sender.ask(request, purpose.replace(" ", "-"))


def _entries(verdict: Verdict) -> list[object] | None:
    entries = (verdict.resource or {}).get("Resources", [])
    return list(entries) if isinstance(entries, list) else None


def listed(kind: Kind, verdict: Verdict) -> Listed | None:
    """The page of a delivered list; None if it is not one, so that it is asked for again."""
    if verdict.outcome is not Outcome.DELIVERED or verdict.resource is None:
        return None
    total, entries = verdict.resource.get("totalResults"), _entries(verdict)
    if not isinstance(total, int) or entries is None:
        return None
    usable = (readable(kind, entry) for entry in entries)
    return Listed(tuple(found for found in usable if found is not None), total)


def _is_asked(found: TargetResource, attribute: str, value: str) -> bool:
    match attribute:
        case "id":
            return found.id == value
        case "externalId":
            return found.fields.external_id == value
        case _:
            return found.fields.name.casefold() == value.casefold()
