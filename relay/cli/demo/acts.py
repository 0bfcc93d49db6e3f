"""The play itself: five acts, each announced, shown while it runs, and measured."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relay.cli.demo.child import DemoFailed
from relay.cli.demo.report import Report, measured
from relay.cli.demo.screen import Progress, Screen
from relay.cli.demo.sides import RelaySide, Starts, relay_side, straight_side

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from relay.cli.demo.script import Script
    from relay.simulator.log import Entry

PAUSE_NOTICED_S: Final = 15.0
LEAST_SETTLING_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says.

    Attributes:
        rate: requests a second that TFE takes.
        connections: of the IdP.
        folder: for the relay's files.
    """

    rate: int
    connections: int
    folder: Path


async def perform(script: Script, options: Options, screen: Screen) -> Report:
    """All five acts; what they showed.

    Raises:
        DemoFailed: the relay does not come up, or does not notice the pause.
    """
    async with (
        relay_side(script, options.folder, options.rate, options.connections) as side,
        straight_side(script, options.rate, options.connections) as straight,
    ):
        play = Play(side, options, screen)
        async with play.shown():
            starts = await play.through_the_relay()
        screen.act("Act 5: the same traffic straight at a second TFE, each step when it was then")
        began = _now()
        await straight.play(script.first_cycle, starts[0])
        straight.sim.pause()
        await straight.play(script.during_pause, starts[1])
        straight.sim.resume()
        straight.seconds = _now() - began
        screen.say(
            f"{straight.idp.refused} of {len(straight.idp.answers)} requests were refused; "
            "Entra would try again in a later cycle, which is not played"
        )
        return Report(measured(side), measured(straight))


class Play:
    """The acts through the relay."""

    def __init__(self, side: RelaySide, options: Options, screen: Screen) -> None:
        self._side = side
        self._screen = screen
        steps = len(side.script.steps)
        self._patience_s = LEAST_SETTLING_S + 4 * steps / options.rate

    async def through_the_relay(self) -> tuple[Starts, Starts]:
        """Acts 1 to 4; when their steps started, in the first cycle and in the pause."""
        await self._side.start()
        began = _now()
        first = await self._first_cycle()
        second = await self._pause()
        await self._kill()
        await self._resume()
        self._side.seconds = _now() - began
        return first, second

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Tell the screen of the progress for as long as the block lasts."""
        async with asyncio.TaskGroup() as tasks:
            ticker = tasks.create_task(self._tick())
            try:
                yield
            finally:
                ticker.cancel()

    async def _first_cycle(self) -> Starts:
        script, screen = self._side.script, self._screen
        screen.act("Act 1: the first cycle, while TFE is up")
        starts = await self._side.play(script.first_cycle)
        now = await self._side.standing()
        screen.say(
            f"the identity provider has all its answers; {now.pending} changes are on their way"
        )
        await self._settle()
        return starts

    async def _pause(self) -> Starts:
        side, screen = self._side, self._screen
        screen.act("Act 2: TFE is paused; the identity provider goes on")
        side.sim.pause()
        before = len(side.idp.answers), side.idp.refused
        starts = await side.play(side.script.during_pause)
        asked, refused = len(side.idp.answers) - before[0], side.idp.refused - before[1]
        if not await side.held(PAUSE_NOTICED_S):
            raise DemoFailed("cannot go on: the relay did not notice that TFE is paused")
        now = await side.standing()
        screen.say(
            f"{asked} requests answered, {refused} of them refused; {now.pending} changes held; "
            "the last of them is an offboarding"
        )
        return starts

    async def _kill(self) -> None:
        side, screen = self._side, self._screen
        screen.act("Act 3: the relay is killed with kill -9, its queue full, and started again")
        before = await side.standing()
        await side.relay.kill()
        screen.say("killed")
        after = await side.start()
        screen.say(
            f"started again: {after.pending} changes are held, {before.pending} before the kill"
        )

    async def _resume(self) -> None:
        side, screen = self._side, self._screen
        screen.act("Act 4: TFE is resumed; what was held goes out, offboarding first")
        last = max((entry.serial for entry in side.sim.log.entries()), default=0)
        resumed = side.sim.clock.monotonic()
        leaver = _id_of(side, side.script.leaver)
        side.sim.resume()
        await self._settle()
        writes = [
            entry
            for entry in side.sim.log.entries(after=last)
            if entry.executed and entry.method != "GET"
        ]
        screen.say(_offboarding(writes, leaver, resumed))

    async def _settle(self) -> None:
        if not await self._side.settled(self._patience_s):
            self._screen.say(f"not all was delivered within {self._patience_s:.0f} s")

    async def _tick(self) -> None:
        while True:
            self._screen.show(await self._progress())
            await asyncio.sleep(self._screen.every_s)

    async def _progress(self) -> Progress:
        side = self._side
        now = await side.standing()
        arrived = [entry for entry in side.sim.log.entries() if entry.counted]
        recent = side.sim.clock.monotonic() - 1.0
        gone = "none" if side.relay.alive else "the relay is not running"
        return Progress(
            asked=len(side.idp.answers),
            accepted=now.accepted,
            queued=now.pending,
            delivered=now.delivered,
            sent=len(arrived),
            rate=sum(entry.monotonic_s > recent for entry in arrived),
            hold=", ".join(now.holds) or gone,
        )


def _offboarding(writes: list[Entry], leaver: str, resumed: float) -> str:
    """Where the last accepted change, an offboarding, came among the writes after the pause."""
    for place, entry in enumerate(writes, start=1):
        if entry.path == f"/Users/{leaver}":
            after_s = (entry.answered_s or entry.monotonic_s) - resumed
            return (
                f"the offboarding, accepted last, was write {place} of {len(writes)} at TFE, "
                f"in place {after_s:.1f} s after the pause"
            )
    return f"the offboarding was not among the {len(writes)} writes at TFE"


def _id_of(side: RelaySide, key: str) -> str:
    """TFE's own id of a person; empty if TFE has no such person."""
    return next(iter(user.stamp.id for user in side.sim.directory.users.external(key)), "")


def _now() -> float:
    return asyncio.get_running_loop().time()
