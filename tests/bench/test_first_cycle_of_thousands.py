"""First cycles of 10,000 users and 50 groups, as Entra and Okta send them, in virtual time.

The whole of store and delivery, the pacer included, runs against the stand-in at TFE's rate; only
the clock is virtual, so that a thousand seconds of pacing cost nothing (`support.world`). Requests
are counted at the stand-in. The shapes are those of `idp-dialects.md` sections 5 and 6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from support.idp import add, group, user
from support.world import World, run_virtually

from relay.rules import dialect
from relay.rules.types import Kind

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1200)]

USERS, GROUPS, SIZE = 10_000, 50, 200
FLOOR = USERS + GROUPS
TFE_RATE = 10


@dataclass(frozen=True)
class Shape:
    """How a sender goes about it.

    Attributes:
        batch: members in one PATCH.
        ahead_s: seconds between two requests of the sender.
        beside: look-ups before a creation; the directory answers them.
    """

    batch: int
    ahead_s: float
    beside: int


SHAPES = {
    # Look-up and creation of each; groups are created empty, one request a member as they come.
    "entra": Shape(batch=1, ahead_s=0.04, beside=1),
    # Look-up and creation of each; members in PATCHes of 100, Okta's default.
    "okta": Shape(batch=100, ahead_s=0.04, beside=1),
}


class Cycle:
    """A first cycle, one request after the other."""

    def __init__(self, world: World, shape: Shape) -> None:
        self.world, self.shape = world, shape
        self.reads = self.writes = 0

    async def accept(self, write, identifier=None):
        self.writes += 1
        accepted = await self.world.store.directory.accept("idp", write, identifier)
        self.world.store.directory.answered(accepted.change)
        await self.world.pass_time(self.shape.ahead_s)
        return accepted.resource

    async def created(self, kind, body):
        self.reads += self.shape.beside
        made = await self.accept(dialect.parse_create(kind, body))
        return made.public_id

    async def run(self) -> None:
        people = [
            await self.created(Kind.USER, user(f"user{number}@example.com"))
            for number in range(USERS)
        ]
        for number in range(GROUPS):
            made = await self.created(Kind.GROUP, group(f"Group {number}"))
            mine = people[number * SIZE : (number + 1) * SIZE]
            for start in range(0, SIZE, self.shape.batch):
                operations = [add(*mine[start : start + self.shape.batch])]
                body = {"Operations": operations}
                await self.accept(dialect.parse_patch(Kind.GROUP, body), made)


@pytest.mark.parametrize("sender", SHAPES)
def test_a_first_cycle_of_ten_thousand_users_and_fifty_groups(sender, tmp_path):
    async def main() -> None:
        world = World(tmp_path / "relay.db", concurrency=10, rate=TFE_RATE)
        await world.start()
        cycle = Cycle(world, SHAPES[sender])
        await cycle.run()
        await world.settled()
        directory = world.tfe.directory
        members = sum(len(one.fields.members) for one in directory.groups)
        assert (len(directory.users), members) == (USERS, GROUPS * SIZE)
        requests, reads = world.target.sent, world.target.read
        await world.stop()
        writes = cycle.writes
        print(
            f"\n| {sender}, first cycle | {cycle.reads + writes:,} | {writes:,}"
            f" | {2 * writes:,} to {4 * writes:,} | {requests:,} | {FLOOR:,} | reads: {reads}"
        )
        assert requests <= math.ceil(1.02 * FLOOR)

    run_virtually(main)
