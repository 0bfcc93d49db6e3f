"""Holds that stand, in memory as in the store: raised, lifted and waited for (design, *Holds*).

Everybody who sends, or tells why nothing is sent, reads them here. When a hold that lifts by itself
is looked at again, and what it then takes to lift it, is the keeper's.

Waits are kept by the monotonic clock: wall time may jump (L6). Only what is shown, and what a
restart finds in the store, is wall time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from relay.rules import retry_after
from relay.store.deliver.settling import HoldRequest
from relay.store.state.holds import Hold, HoldName
from relay.telemetry import events

if TYPE_CHECKING:
    from collections.abc import Callable

    from relay.clock import Clock
    from relay.store import Store

log = structlog.get_logger(__name__)

_ROUNDING_S: Final = 1.0
"""A wait of an hour is an hour, though moments pass between being asked for it and noting it."""

_REBUILT: Final = frozenset({HoldName.RESTORED, HoldName.FOREIGN, HoldName.OPERATOR})


class Holds:
    """The holds that stand.

    Args:
        store: where they last.
        clock: time.

    Attributes:
        rebuilding: whether TFE is read although the hold `foreign` stands.
        asks_first: whether TFE is to be asked gently before all is sent, when `throttled` is over.
        when_raised: is called whenever one is raised or prolonged.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._holds: dict[HoldName, Hold] = {}
        self._unwritten: set[HoldName] = set()
        store.hold_told = self._written
        self._changes = asyncio.Event()
        self._throttled_until = 0.0
        self.rebuilding = False
        self.asks_first = False
        self.when_raised: Callable[[], None] = lambda: None

    def __contains__(self, name: object) -> bool:
        return name in self._holds

    @property
    def standing(self) -> tuple[Hold, ...]:
        """All holds that stand."""
        return tuple(self._holds.values())

    def get(self, name: HoldName) -> Hold | None:
        """The hold of a name; None: it does not stand."""
        return self._holds.get(name)

    @property
    def blocked(self) -> bool:
        """Whether nothing may be sent."""
        return bool(self._holds)

    @property
    def unreadable(self) -> bool:
        """Whether TFE may not even be read; to be compared with a database it is."""
        read = _REBUILT if self.rebuilding else {HoldName.RESTORED}
        return bool(self._holds.keys() - read)

    @property
    def throttled_s(self) -> float:
        """Seconds for which TFE asked not to be asked; 0 if it did not, or they are over."""
        if HoldName.THROTTLED not in self._holds:
            return 0.0
        return max(0.0, self._throttled_until - self._clock.monotonic())

    async def changed(self) -> None:
        """Wait until a hold was raised or lifted."""
        await self._changes.wait()

    async def load(self) -> None:
        """Take over the holds of an earlier process: they survive a restart."""
        for hold in await self._store.holds():
            self._stands(hold)

    def raised(self, request: HoldRequest) -> None:
        """A result raises a hold, or prolongs it; the store records it with that result."""
        self._unwritten.add(request.name)
        known = self._holds.get(request.name)
        since = known.since if known else self._clock.wall()
        until = request.until
        if until is not None:
            self._throttle(until, until - self._clock.wall())
            until = max(until, (known and known.until) or 0.0)
        self._holds[request.name] = Hold(request.name, since, until, request.reason)
        if known is None:
            log.warning(events.HOLD_RAISED, hold=request.name.value, reason=request.reason)
        self._tell_raised()

    async def raise_now(self, request: HoldRequest) -> None:
        """Raise a hold, or prolong it, outside of any result."""
        self.raised(request)
        await self._store.raise_hold(request.name, request.reason, request.until)

    async def raise_hold(self, name: HoldName, reason: str) -> None:
        """Raise a hold that no time ends."""
        await self.raise_now(HoldRequest(name, reason))

    async def lift(self, name: HoldName, actor: str = "relay") -> None:
        """Lift a hold; delivery goes on if it was the last."""
        self._unwritten.discard(name)
        await self._store.lift(name, actor)
        self._store.work.set()

    def _written(self, name: HoldName, hold: Hold | None) -> None:
        """A commit raised a hold, or lifted it: what stands on disk stands here.

        A disk may take a result long after it was known, and in between the hold it raised was
        lifted here: it stands again, and is probed again. A hold that is raised here and not yet on
        disk stays when an older lifting of it is.
        """
        if hold is None:
            if name not in self._unwritten and (gone := self._holds.pop(name, None)) is not None:
                stood = self._clock.wall() - gone.since
                log.info(events.HOLD_LIFTED, hold=name.value, stood_s=round(stood, 1))
                self._tell()
            return
        self._unwritten.discard(name)
        if name not in self._holds:
            self._stands(hold)
            log.warning(events.HOLD_RAISED, hold=name.value, reason=hold.reason)
            self._tell_raised()

    def _stands(self, hold: Hold) -> None:
        self._holds[hold.name] = hold
        if hold.until is not None:
            self._throttle(hold.until, hold.until - hold.since)

    def _throttle(self, until: float, asked_s: float) -> None:
        """Wait until then, an hour at most; what was asked for once is never shortened.

        After an hour, which stands for any longer `asked_s`, TFE is asked before all is sent.
        """
        wait_s = min(max(until - self._clock.wall(), 0.0), retry_after.MAX_S)
        self._throttled_until = max(self._throttled_until, self._clock.monotonic() + wait_s)
        self.asks_first = self.asks_first or asked_s > retry_after.MAX_S - _ROUNDING_S

    def _tell_raised(self) -> None:
        self._store.directory.give_up()
        self.when_raised()
        self._tell()

    def _tell(self) -> None:
        """Wake whoever waits for a change."""
        self._changes.set()
        self._changes = asyncio.Event()
