"""Random histories of a large group under a guard that holds much, and of operators who decide.

Whatever was held, approved, rejected or dropped, and whatever TFE lost or left unanswered: what the
IdP reads is what TFE holds, nobody is in two parts, and nothing is left open.
"""

import asyncio
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support.idp import add, remove, replace_members
from support.lab import lab_in
from test_overflow_refusals import effects_left, sizes_that_lie

from relay.errors import ParkedBefore, Refused
from relay.rules.guard import Budget, GuardPolicy, Loss
from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.operate.held import Selection
from relay.store.operate.listing import ChangeFilter

MOST = 3
PEOPLE = 9
STEPS = 10
WHY = ("ada", "a random decision")
ONCE_WRONG = (66, 75, 100323, 100502, 100653, 100786, 100826, 100862, 100966, 103781, 103973)
"""Seeds that found a defect: a part that was nobody's, additions that waited for the room they took
themselves, a removal that could not be planned, a change that nothing was left to end."""
GUARD = GuardPolicy(3600.0, {Loss.REMOVALS: Budget(count=2)}, max_emptied=2)


class History:
    """One group, which may be deleted and made again, and its people."""

    def __init__(self, lab, rng, ids):
        self.lab, self.rng, self.ids = lab, rng, ids
        self.crew = None
        self.lost = set()

    async def step(self):
        some = self.rng.sample(self.ids, self.rng.randint(1, 6))
        steps = (
            *[self.add] * 3,
            *[self.remove] * 3,
            *[self.replace] * 2,
            *[self.delete, self.rename, self.fail, self.compact, self.drop],
            *[self.decide] * 3,
            *[self.send] * 3,
        )
        try:
            if self.crew is None:
                self.crew = await self.lab.group("Crew", *some)
            else:
                await self.rng.choice(steps)(some)
        except (Refused, ParkedBefore):
            return  # its name, or a part's, is another's; or it is being sent

    async def add(self, some):
        await self.lab.patch(Kind.GROUP, self.crew, add(*some))

    async def remove(self, some):
        await self.lab.patch(Kind.GROUP, self.crew, *(remove(one) for one in some))

    async def replace(self, some):
        people = some if self.rng.random() < 0.6 else []
        await self.lab.patch(Kind.GROUP, self.crew, replace_members(*people))

    async def delete(self, _):
        await self.lab.delete(Kind.GROUP, self.crew)
        self.crew = None

    async def rename(self, _):
        await self.lab.rename(self.crew, self.rng.choice(["Crew", "Staff", "CREW"]))

    async def fail(self, _):
        """TFE refuses, or does what it is asked and does not say so, or loses a user."""
        match self.rng.randint(0, 2):
            case 0:
                fault = Fault(kind=FaultKind.STATUS, status=422, detail="no")
            case 1:
                kinds = (FaultKind.RESET_BEFORE, FaultKind.RESET_AFTER)
                fault = Fault(kind=self.rng.choice(kinds))
            case _:
                [lost] = self.rng.sample(self.ids, 1)
                self.lost.add(lost)
                target = await self.lab.target(lost)
                if target in {one.stamp.id for one in self.lab.tfe.directory.users}:
                    self.lab.tfe.directory.delete_user(target)
                await self.lab.edit(lost, externalId=f"e{self.rng.random()}")
                return
        self.lab.tfe.faults.add(fault, Match(path="^/Groups", count=self.rng.randint(1, 2)))

    async def compact(self, _):
        await self.lab.store.desk.compact(self.crew, *WHY)

    async def drop(self, _):
        await self._drop_one("pending")

    async def _drop_one(self, state):
        found = await self.lab.store.changes(ChangeFilter(state=state))
        if found:
            await self.lab.store.desk.drop(self.rng.choice(found)["id"], *WHY)

    async def send(self, _):
        self.lab.clock.turn(self.rng.choice([1, 1, 400]))
        await self.lab.run(most=self.rng.randint(1, 6))

    async def decide(self, _):
        await self.decided()

    async def decided(self):
        """Approve or reject everything, or what one change wrote, or what concerns the group."""
        held = await self.lab.store.desk.held(Selection())
        if not held:
            return
        meant = self.rng.choice(
            (Selection(), Selection(change=self.rng.choice(held).change), Selection(group="Crew"))
        )
        desk = self.lab.store.desk
        await self.rng.choice((desk.approve, desk.reject))(meant, *WHY)

    async def end(self):
        """Decide everything that is held, then everything that is parked."""
        self.lab.tfe.faults.clear()
        for lost in sorted(self.lost):  # what was to tell the relay of it may have been dropped
            await self.lab.edit(lost, externalId="found")
        for _ in range(60):
            await self.settle()
            if (await self.lab.store.snapshot()).held:
                await self.decided()
            elif (await self.lab.counters())["parked"]:
                await self._undone()
            else:
                return
        raise AssertionError("decisions do not end")

    async def _undone(self):
        try:
            await self._drop_one("parked")
        except Refused:
            return

    async def settle(self):
        for _ in range(3):
            self.lab.clock.turn(2000)
            await self.lab.run()


async def play(seed, folder):
    rng = random.Random(seed)
    async with lab_in(folder, part=MOST, guard=GUARD) as lab:
        history = History(lab, rng, await lab.users(PEOPLE))
        await lab.run()
        for _ in range(STEPS):
            await history.step()
        await history.end()
        await is_right(lab)


async def is_right(lab):
    groups = lab.tfe.directory.groups
    rosters = [set(one.fields.members) for one in groups]
    assert max(map(len, rosters), default=0) <= MOST, "a part is too large"
    held = {}
    for name, whole, roster in await lab.store.run(wholes):
        parts = {one.fields.display_name: set(one.fields.members) for one in groups}
        mine = [parts.pop(part) for part in whole]
        assert sum(map(len, mine)) == len(set().union(*mine)), "somebody is in two parts"
        assert set().union(*mine) == roster, f"the IdP reads something else of {name}"
        held |= dict.fromkeys(whole, True)
    assert held.keys() == {one.fields.display_name for one in groups}, "a part is nobody's"
    assert await lab.store.run(effects_left) == []
    assert await lab.store.run(sizes_that_lie) == []
    assert (await lab.counters())["pending"] == 0


def wholes(tx):
    """Each group of the IdP's: its name, the names of its parts, and who is in it by TFE's ids."""
    return [
        (
            name,
            [part for (part,) in tx.all(_PARTS, (row, row))],
            {target for (target,) in tx.all(_ROSTER, (row,))},
        )
        for row, name in tx.all(
            "SELECT id, name FROM resource WHERE kind = 'Group' AND state = 'live'"
            " AND part_of IS NULL"
        )
    ]


_PARTS = "SELECT name FROM resource WHERE (id = ? OR part_of = ?) AND state = 'live'"
_ROSTER = (
    "SELECT u.target_id FROM member m JOIN resource u ON u.id = m.user_id"
    " WHERE m.group_id = ? AND m.desired = 1"
)


def check(seed):
    with TemporaryDirectory() as folder:
        asyncio.run(play(seed, Path(folder)))


@pytest.mark.parametrize("seed", ONCE_WRONG)
def test_a_history_that_was_once_wrong_is_right(seed):
    check(seed)


def test_decisions_of_operators_leave_everybody_in_one_part():
    for seed in range(60):
        check(seed)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_many_decisions_of_operators_leave_everybody_in_one_part():
    for seed in range(4_000):
        check(seed)
