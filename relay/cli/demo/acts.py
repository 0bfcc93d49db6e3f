"""The play itself: five acts, each announced, shown while it runs, and measured."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relay.cli.demo.child import DemoFailed
from relay.cli.demo.report import Report, measured
from relay.cli.demo.screen import Progress
from relay.cli.demo.script import Leave, Offboard
from relay.cli.demo.sides import relay_side, straight_side

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from relay.cli.demo.screen import Screen
    from relay.cli.demo.script import Script
    from relay.cli.demo.sides import RelaySide, Side, Starts
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
        starts = await through_the_relay(side, options.rate, screen)
        await straight_at_tfe(straight, starts, screen)
        return Report(measured(side), measured(straight))


async def through_the_relay(side: RelaySide, rate: int, screen: Screen) -> tuple[Starts, Starts]:
    """Acts 1 to 4; when their steps started, in the first cycle and in the pause.

    Raises:
        DemoFailed: as `perform`.
    """
    play = _Play(side, rate, screen)
    async with _shown(screen, play.progress):
        return await play.acts()


async def straight_at_tfe(side: Side, starts: tuple[Starts, Starts], screen: Screen) -> None:
    """Act 5; every step starts as long after the beginning of its stage as it did in `starts`."""
    screen.act("Act 5: the same traffic straight at a second TFE, each step at its time")

    async def progress() -> tuple[str, bool]:
        refused = side.idp.refused
        return f"sent {len(side.idp.answers):3} refused {refused:3}", refused == 0

    async with _shown(screen, progress):
        began = _now()
        await side.play(side.script.first_cycle, starts[0])
        side.sim.pause()
        await side.play(side.script.during_pause, starts[1])
        side.sim.resume()
        side.seconds = _now() - began
    screen.say(
        f"{side.idp.refused} of {len(side.idp.answers)} requests were refused; "
        "the next cycle, in which Entra would try again, is not played"
    )


@asynccontextmanager
async def _shown(
    screen: Screen, progress: Callable[[], Awaitable[tuple[str, bool]]]
) -> AsyncIterator[None]:
    """Tell the screen of the progress for as long as the block lasts."""

    async def tick() -> None:
        while True:
            try:
                line, calm = await progress()
            except DemoFailed:
                return  # the play finds the same, and ends
            screen.show(line, calm=calm)
            await asyncio.sleep(screen.every_s)

    failed: DemoFailed | None = None
    async with asyncio.TaskGroup() as tasks:
        ticker = tasks.create_task(tick())
        try:
            yield
        except DemoFailed as error:  # raised again as itself, not in a group
            failed = error
        ticker.cancel()
    if failed is not None:
        raise failed


class _Play:
    """The acts through the relay."""

    def __init__(self, side: RelaySide, rate: int, screen: Screen) -> None:
        self._side = side
        self._screen = screen
        self._patience_s = LEAST_SETTLING_S + 4 * len(side.script.steps) / rate

    async def acts(self) -> tuple[Starts, Starts]:
        """Acts 1 to 4; when their steps started."""
        await self._side.start()
        began = _now()
        first = await self._first_cycle()
        second = await self._pause()
        await self._kill()
        await self._resume()
        self._side.seconds = _now() - began
        return first, second

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
        screen.say(f"{asked} requests answered, {refused} of them refused")
        screen.say(f"{now.pending} changes are held; the last of them is an offboarding")
        return starts

    async def _kill(self) -> None:
        side, screen = self._side, self._screen
        screen.act("Act 3: the relay is killed with kill -9, its queue full, and started again")
        before = await side.standing()
        await side.relay.kill()
        after = await side.start()
        screen.say(f"{before.pending} changes were held when it was killed")
        screen.say(f"{after.pending} changes are held now that it is back")

    async def _resume(self) -> None:
        side, screen = self._side, self._screen
        screen.act("Act 4: TFE is resumed; what was held goes out, revocations first")
        last = max((entry.serial for entry in side.sim.log.entries()), default=0)
        resumed = side.sim.clock.monotonic()
        leaver = _id_of(side, side.script.leaver)
        side.sim.resume()
        await self._settle()
        steps = [step for stage in side.script.during_pause for step in stage]
        revoking = sum(isinstance(step, Leave | Offboard) for step in steps)
        screen.say(f"{revoking} of the changes that were held take access away")
        screen.say(_offboarding(_writes(side, last), leaver, resumed))

    async def _settle(self) -> None:
        if not await self._side.settled(self._patience_s):
            self._screen.say(f"not all was delivered within {self._patience_s:.0f} s")

    async def progress(self) -> tuple[str, bool]:
        """How things stand in one line, and whether nothing is held."""
        side = self._side
        now = await side.standing()
        arrived = [entry for entry in side.sim.log.entries() if entry.counted]
        recent = side.sim.clock.monotonic() - 1.0
        hold = ", ".join(now.holds) if side.relay.alive else "(the relay is not running)"
        line = Progress(
            asked=len(side.idp.answers),
            accepted=now.accepted,
            queued=now.pending,
            delivered=now.delivered,
            sent=len(arrived),
            rate=sum(entry.monotonic_s > recent for entry in arrived),
            hold=hold or "none",
        ).line
        return line, hold == ""


def _writes(side: RelaySide, after: int) -> list[Entry]:
    """What was written at TFE after a serial of its log."""
    return [
        entry
        for entry in side.sim.log.entries(after=after)
        if entry.executed and entry.method != "GET"
    ]


def _offboarding(writes: list[Entry], leaver: str, resumed: float) -> str:
    """Where the last accepted change, an offboarding, came among the writes after the pause."""
    for place, entry in enumerate(writes, start=1):
        if entry.path == f"/Users/{leaver}":
            after_s = (entry.answered_s or entry.monotonic_s) - resumed
            return (
                f"the offboarding, accepted last, was write {place} of {len(writes)} at TFE, "
                f"{after_s:.1f} s after it was resumed"
            )
    return f"the offboarding was not among the {len(writes)} writes at TFE"


def _id_of(side: RelaySide, key: str) -> str:
    """TFE's own id of a person; empty if TFE has no such person."""
    return next(iter(user.stamp.id for user in side.sim.directory.users.external(key)), "")


def _now() -> float:
    return asyncio.get_running_loop().time()
