"""Comparing TFE with *confirmed* in idle slots, so that nothing confirmed is believed for ever.

A sweep reads pages of users, then of groups with their rosters; what no page named is asked for by
its id before it is called missing. It waits while any lane has something to send, and while any
hold stands; only after a minute of that does one page go in between, so that a relay that is never
idle is compared too. A restart goes on where the sweep stood.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from relay.delivery.importer import PAGE, listed
from relay.errors import RelayError
from relay.rules import reads
from relay.rules.shadow import readable
from relay.rules.verdict import Outcome
from relay.store.compare.sweeping import Sweep
from relay.telemetry import events

if TYPE_CHECKING:
    from relay.clock import Clock
    from relay.delivery.holds import Holds
    from relay.delivery.identity import Identity
    from relay.delivery.importer import Importer
    from relay.rules.shadow import TargetResource
    from relay.store import Store
    from relay.store.compare.sweeping import Unnamed

log = structlog.get_logger(__name__)

LOOK_S: Final = 1.0
"""Between two looks at whether a sweep is due."""
IDLE_LOOK_S: Final = 0.1
"""Between two looks at whether a slot is idle."""
PATIENCE_S: Final = 60.0
"""A page waits so long for an idle moment: a relay that is never idle spends one slot a minute."""
PAUSE_S: Final = 0.2
"""After each request: whoever shares TFE's limit, and new changes, find room between them."""


@dataclass(frozen=True, slots=True)
class ReconcileSettings:
    """When to compare, and what follows.

    Attributes:
        every_s: from the beginning of one sweep to that of the next; 0: on request only.
        mend: bring TFE back where it differs; otherwise that is reported only.
        pause_s: after each request.
    """

    every_s: float
    mend: bool = True
    pause_s: float = PAUSE_S


class Reconciler:
    """Compares TFE with what it confirmed.

    Args:
        store: what was confirmed.
        importer: asks TFE, and whether the directory is full.
        holds: that stand.
        identity: whether TFE is still ours when it denies an id.
        clock: time.
        settings: when, and what follows.
    """

    def __init__(
        self,
        *,
        store: Store,
        importer: Importer,
        holds: Holds,
        identity: Identity,
        clock: Clock,
        settings: ReconcileSettings,
    ) -> None:
        self._store = store
        self._compare = store.comparison
        self._importer = importer
        self._holds = holds
        self._identity = identity
        self._clock = clock
        self._settings = settings
        self._sweep = Sweep()
        self._instead: dict[int, TargetResource] = {}
        self._ordered = asyncio.Event()

    async def order(self, *, mend: bool) -> Sweep:
        """Begin a sweep now.

        Raises:
            RelayError: one is under way, or the directory is not full yet.
        """
        if not self._importer.complete:
            raise RelayError("cannot compare yet: Terraform Enterprise is still being read")
        if self._sweep.finished is None:
            raise RelayError("cannot begin: a comparison is under way; see `scim-relay status`")
        self._sweep = await self._compare.begin(mend=mend and self._settings.mend)
        self._ordered.set()
        return self._sweep

    async def run(self) -> None:
        """Sweep when it is time, until cancelled."""
        self._sweep = await self._compare.sweep()
        while True:
            if self._importer.complete:
                await self._due()
            self._ordered.clear()
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._ordered.wait()
            except TimeoutError:
                continue

    async def _due(self) -> None:
        if not self._sweep.began:
            self._sweep = await self._compare.postpone()
        if self._sweep.finished is not None and self._is_time():
            self._sweep = await self._compare.begin(mend=self._settings.mend)
        began = self._clock.monotonic()
        if self._sweep.finished is None:
            while self._sweep.finished is None:
                await self._step()
            log.info(
                events.RECONCILED,
                checked=self._sweep.checked,
                differences=sum(self._sweep.found.values()),
                took_s=round(self._clock.monotonic() - began, 3),
            )

    def _is_time(self) -> bool:
        """A clock that was set back is no reason to wait for it (L6)."""
        if not self._settings.every_s:
            return False
        since = self._clock.wall() - self._sweep.began
        return since < 0 or since >= self._settings.every_s

    async def _step(self) -> None:
        """One request, or the end of users or groups."""
        await self._allowed()
        if self._sweep.behind is None:
            await self._page()
            await asyncio.sleep(self._settings.pause_s)
            return
        unnamed = await self._compare.unnamed(self._sweep)
        if not unnamed:
            self._sweep = await self._compare.next_kind(self._sweep, self._instead)
            self._instead = {}
        for one in unnamed:
            await self._allowed()
            if not await self._one(one):
                break
            await asyncio.sleep(self._settings.pause_s)

    async def _allowed(self) -> None:
        """Wait for an idle moment, not for ever."""
        end = self._clock.monotonic() + PATIENCE_S
        while self._holds.blocked or not await self._compare.idle():
            if self._holds.blocked:
                await self._holds.changed()
                end = self._clock.monotonic() + PATIENCE_S
            elif self._clock.monotonic() >= end:
                return
            else:
                await asyncio.sleep(IDLE_LOOK_S)

    async def _page(self) -> None:
        sweep, began = self._sweep, self._clock.wall()
        verdict = await self._importer.ask(reads.page(sweep.kind, sweep.start, PAGE), "reconcile")
        page = listed(sweep.kind, verdict)
        if page is not None:
            self._sweep = await self._compare.page(sweep, page.resources, page.total, began)

    async def _one(self, one: Unnamed) -> bool:
        """Ask for what no page named; False if TFE gave no answer to go by."""
        sweep, began, since = self._sweep, self._clock.wall(), self._clock.monotonic()
        request = reads.by_id(sweep.kind, one.target_id)
        verdict = await self._importer.ask(request, "reconcile")
        found = None
        if verdict.outcome is Outcome.MISSING:
            hold = await self._identity.doubted(one.resource, since)
            if hold is not None:
                self._holds.raised(hold)
                await self._store.raise_hold(hold.name, hold.reason, hold.until)
                return False
            await self._look_instead(one)
        elif verdict.outcome is Outcome.DELIVERED:
            found = readable(sweep.kind, verdict.resource)
            if found is None or found.id != one.target_id:
                return False
        else:
            return False
        self._sweep = await self._compare.one(sweep, one, found, began)
        return True

    async def _look_instead(self, one: Unnamed) -> None:
        """Read what has the name of a missing one now; a restart forgets it, and a 409 finds it."""
        if one.other_id is None:
            return
        kind = self._sweep.kind
        verdict = await self._importer.ask(reads.by_id(kind, one.other_id), "reconcile")
        found = readable(kind, verdict.resource)
        if found is not None and found.id == one.other_id:
            self._instead[one.resource] = found
