"""Two ways from the identity provider to Terraform Enterprise: through the relay, and straight.

Both sides have a stand-in of their own, begin with the same people in it, play the same script, and
meet the same pause. What each of them met is read from the stand-in's log and the IdP's answers.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from relay.cli.demo.child import DemoFailed, RelayChild, Standing
from relay.cli.demo.idp import PACE, Idp
from relay.cli.demo.oracle import Findings, compare
from relay.simulator import Latency, RateLimit, Simulator, SimulatorSettings, simulator
from relay.simulator.seed import sow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from relay.cli.demo.script import Script, Stage

LATENCY: Final = Latency(20, 50)
"""How long the stand-in thinks."""

POLL_S: Final = 0.05
START_S: Final = 30.0
"""How long the relay may take to start, import and be ready."""

Starts = list[list[float]]
"""For every stage: seconds after its beginning at which each step started."""


class Side:
    """One of the two ways.

    Attributes:
        name: what the summary calls it.
        script: what is played.
        sim: the stand-in at its end.
        idp: the client at its beginning.
        seconds: from the first request to the last effect.
    """

    def __init__(self, name: str, script: Script, sim: Simulator, idp: Idp) -> None:
        self.name = name
        self.script = script
        self.sim = sim
        self.idp = idp
        self.seconds = 0.0

    async def play(self, stages: tuple[Stage, ...], starts: Starts | None = None) -> Starts:
        """Play stages, one behind the other; returns when their steps started."""
        return [
            await self.idp.play(stage, None if starts is None else starts[index])
            for index, stage in enumerate(stages)
        ]

    def findings(self) -> Findings:
        """The stand-in's state against what the IdP wants."""
        return compare(self.script, self.sim.directory)


class RelaySide(Side):
    """Through the relay, a process of its own."""

    def __init__(self, script: Script, sim: Simulator, idp: Idp, relay: RelayChild) -> None:
        super().__init__("with the relay", script, sim, idp)
        self.relay = relay
        self._known = Standing()

    async def start(self) -> Standing:
        """Start the relay and wait until it serves; how it stands then.

        Raises:
            DemoFailed: it does not come up.
        """
        await self.relay.start()

        async def ready() -> bool:
            now = await self.relay.standing()
            return now is not None and now.imported and await self.idp.works()

        if not await reached(ready, START_S):
            raise DemoFailed(f"cannot go on: the relay was not ready within {START_S:.0f} s")
        return await self.standing()

    async def standing(self) -> Standing:
        """How the relay stands; while it does not answer, how it stood last."""
        self._known = await self.relay.standing() or self._known
        return self._known

    async def settled(self, limit_s: float) -> bool:
        """Wait until nothing is pending; False if that takes too long."""

        async def nothing_pending() -> bool:
            now = await self.relay.standing()
            return now is not None and not now.pending and not now.holds

        return await reached(nothing_pending, limit_s)

    async def held(self, limit_s: float) -> bool:
        """Wait until the relay has noticed the pause; False if that takes too long."""

        async def paused() -> bool:
            return "paused" in (await self.standing()).holds

        return await reached(paused, limit_s)


async def reached(condition: Callable[[], Awaitable[bool]], limit_s: float) -> bool:
    """Whether a condition of another process comes true in time."""
    try:
        async with asyncio.timeout(limit_s):
            while not await condition():  # noqa: ASYNC110 - another process cannot set an event
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        return False
    return True


@asynccontextmanager
async def relay_side(
    script: Script, folder: Path, rate: int, connections: int
) -> AsyncIterator[RelaySide]:
    """A stand-in and a relay in front of it, not started yet; both gone at the end."""
    async with _stand_in(script, rate) as sim:
        relay = RelayChild(folder, sim, rate)
        try:
            async with Idp(relay.base_url, relay.token, connections, rate * PACE) as idp:
                yield RelaySide(script, sim, idp, relay)
        finally:
            await relay.stop()


@asynccontextmanager
async def straight_side(script: Script, rate: int, connections: int) -> AsyncIterator[Side]:
    """A second stand-in and an IdP that talks to it directly."""
    async with (
        _stand_in(script, rate) as sim,
        Idp(sim.url, sim.token, connections, rate * PACE) as idp,
    ):
        yield Side("straight at TFE", script, sim, idp)


@asynccontextmanager
async def _stand_in(script: Script, rate: int) -> AsyncIterator[Simulator]:
    """A stand-in that already has the people of the script who are present."""
    settings = SimulatorSettings(limit=RateLimit(rate=rate), latency=LATENCY)
    async with simulator(settings) as sim:
        sow(
            sim.directory,
            {
                "users": [
                    {
                        "userName": person.user_name,
                        "email": person.email,
                        "externalId": person.key,
                    }
                    for person in script.present
                ],
                "groups": [
                    {
                        "displayName": script.staff.name,
                        "externalId": script.staff.key,
                        "members": [person.user_name for person in script.present],
                    }
                ],
            },
        )
        yield sim
