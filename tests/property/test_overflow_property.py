"""Random histories of large groups: one for the IdP, parts in TFE, as a plain set would have it."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.idp import add, remove, replace_members
from support.lab import lab_in

from relay.rules.types import Kind

PEOPLE = 14
MOST = 4

people = st.integers(0, PEOPLE - 1)
some = st.lists(people, max_size=8, unique=True)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), some),
        st.tuples(st.just("remove"), some),
        st.tuples(st.just("replace"), some),
        st.tuples(st.just("rename"), st.sampled_from(["Crew", "Staff", "CREW"])),
        st.tuples(st.just("delete user"), people),
        st.tuples(st.just("send"), st.integers(1, 4)),
        st.tuples(st.just("restart"), st.none()),
    ),
    max_size=14,
)


class History:
    """One group, its people, and what a plain set says of it."""

    def __init__(self):
        self.roster, self.gone, self.ids = set(), set(), []

    def known(self, numbers):
        return [number for number in numbers if number not in self.gone]

    async def play(self, lab, step, argument):
        ids = [] if not isinstance(argument, list) else self.known(argument)
        match step:
            case "add" if ids:
                self.roster.update(ids)
                await lab.patch(Kind.GROUP, self.crew, add(*(self.ids[n] for n in ids)))
            case "remove" if ids:
                self.roster.difference_update(ids)
                await lab.patch(Kind.GROUP, self.crew, *(remove(self.ids[n]) for n in ids))
            case "replace":
                self.roster = set(ids)
                await lab.patch(Kind.GROUP, self.crew, replace_members(*(self.ids[n] for n in ids)))
            case "rename":
                await lab.rename(self.crew, argument)
            case "delete user" if argument not in self.gone:
                self.gone.add(argument)
                self.roster.discard(argument)
                await lab.delete(Kind.USER, self.ids[argument])
            case "send":
                await lab.run(most=argument)


async def check(lab, history):
    """The IdP reads its set; TFE has nobody twice, nobody else, and no part past the limit."""
    expected = {history.ids[number] for number in history.roster}
    assert await lab.members(history.crew) == expected
    await lab.run()
    assert await lab.members(history.crew) == expected
    targets = {await lab.target(one) for one in expected}
    rosters = [set(one.fields.members) for one in lab.tfe.directory.groups]
    assert max(map(len, rosters)) <= MOST
    assert sum(map(len, rosters)) == len(set().union(*rosters))
    assert set().union(*rosters) == targets
    counters = await lab.counters()
    assert (counters["parked"], counters["pending"]) == (0, 0)
    assert all(one.verdict.status is None or one.verdict.status < 400 for one in lab.sent)


async def played(folder, script):
    history, tfe, clock = History(), None, None
    rest = list(script)
    while True:
        async with lab_in(folder, tfe, clock, part=MOST) as lab:
            tfe, clock = lab.tfe, lab.clock
            if not history.ids:
                history.ids = await lab.users(PEOPLE)
                history.crew = await lab.group("Crew")
            while rest:
                step, argument = rest.pop(0)
                if step == "restart":
                    break
                await history.play(lab, step, argument)
            else:
                await check(lab, history)
                return


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(steps)
def test_a_large_group_is_one_set_for_the_idp_and_lawful_parts_in_tfe(script):
    with TemporaryDirectory() as folder:
        asyncio.run(played(Path(folder), script))
