"""A TFE of the tests that an operator can take away and bring back, and what its log proves."""

from __future__ import annotations

import itertools
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson

from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.server import Simulator, listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from typing import Self

    from relay.simulator.log import Entry

PROBE = ("GET", "/Users", {"count": "0"})


class Target(Simulator):
    """A stand-in whose process can end and come back at the same port with all it holds."""

    def __init__(self) -> None:
        super().__init__(SimulatorSettings(limit=RateLimit(rate=0), keep_bodies=True))
        self._listening = AsyncExitStack()

    async def start(self) -> Self:
        """Take connections."""
        await self._listening.enter_async_context(listening(self))
        return self

    async def stop(self) -> None:
        """Refuse connections."""
        await self._listening.aclose()

    # --- what the log proves ----------------------------------------------------------------

    def arrived(self, after: int = 0) -> list[Entry]:
        """Everything after this many requests."""
        return self.log.entries(after=after)

    def writes(self, after: int = 0) -> list[Entry]:
        """What may change something."""
        return [entry for entry in self.arrived(after) if entry.method != "GET"]

    def landed(self, after: int = 0) -> list[str]:
        """Who was created, changed or deleted with effect, in order, by name or path."""
        return [_who(entry) for entry in self.writes(after) if (entry.status or 0) // 100 == 2]

    def names(self) -> list[str]:
        """The `userName`s of all users."""
        return sorted(one.fields.user_name for one in self.directory.users)

    def roster(self, name: str) -> set[str]:
        """The `userName`s of a group's members."""
        [found] = self.directory.groups.named(name)
        return {self.directory.user(one).fields.user_name for one in found.fields.members}


@asynccontextmanager
async def target() -> AsyncIterator[Target]:
    """A TFE without a limit of its own, its bodies logged."""
    tfe = Target()
    await tfe.start()
    try:
        yield tfe
    finally:
        await tfe.stop()


def is_probe(entry: Entry) -> bool:
    """Whether it is the gentle request that a paused TFE refuses."""
    return (entry.method, entry.path, entry.query) == PROBE


def overlapping(entries: Iterable[Entry]) -> list[tuple[Entry, Entry]]:
    """Neighbours of which the later arrived before the earlier was answered."""
    return [
        (one, other)
        for one, other in itertools.pairwise(entries)
        if one.answered_s is None or other.monotonic_s < one.answered_s
    ]


def _who(entry: Entry) -> str:
    body: dict[str, Any] = orjson.loads(entry.body) if entry.body else {}
    return body.get("userName") or body.get("displayName") or f"{entry.method} {entry.path}"
