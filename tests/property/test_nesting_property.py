"""Random groups in groups: rosters are those of an oracle that starts from nothing each time.

The oracle keeps whom each group names, and reads membership off as the least fixpoint. What the
identity provider reads back, and what Terraform Enterprise holds once everything is sent, must be
that, rings and deletions included.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.idp import add, remove
from support.lab import lab_in

from relay.rules.types import Kind

USERS, GROUPS = 4, 4
_users = st.lists(st.integers(0, USERS - 1), max_size=3, unique=True)
_groups = st.lists(st.integers(0, GROUPS - 1), max_size=2, unique=True)
_which = st.integers(0, GROUPS - 1)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["add", "remove", "replace"]), _which, _users, _groups),
        st.tuples(st.just("anew"), _which, _users, _groups),
        st.just(("send",)),
        st.tuples(st.just("leave"), st.integers(0, USERS - 1)),
    ),
    max_size=14,
)


class Oracle:
    """Whom each group names: users as numbers, groups as `g0`, `g1`, ..."""

    def __init__(self) -> None:
        self.named: dict[int, set[int | str]] = {number: set() for number in range(GROUPS)}

    def rosters(self) -> dict[int, set[int]]:
        rosters = {
            group: {one for one in named if isinstance(one, int)}
            for group, named in self.named.items()
        }
        for _ in range(GROUPS):
            for group, named in self.named.items():
                for one in named:
                    if isinstance(one, str):
                        rosters[group] |= rosters[int(one[1:])]
        return rosters

    def forget(self, one: int | str) -> None:
        for named in self.named.values():
            named.discard(one)


class Play:
    """One history against a relay and the oracle."""

    def __init__(self, lab):
        self.lab, self.oracle, self.users, self.groups = lab, Oracle(), [], []

    async def begin(self):
        self.users = await self.lab.users(USERS)
        self.groups = [await self.lab.group(f"g{number}") for number in range(GROUPS)]

    async def step(self, verb, *arguments):
        if verb == "send":
            await self.lab.run()
        elif verb == "leave":
            await self.leave(*arguments)
        else:
            await self.write(verb, *arguments)

    async def leave(self, number):
        """Somebody goes and comes back as a new person."""
        await self.lab.delete(Kind.USER, self.users[number])
        self.users[number] = await self.lab.user(f"user{number:05}@example.com")
        self.oracle.forget(number)

    async def write(self, verb, which, users, groups):
        members = {*users, *(f"g{number}" for number in groups if number != which)}
        ids = [self.users[one] for one in users]
        ids += [self.groups[number] for number in groups if number != which]
        named = self.oracle.named[which]
        if verb == "anew":
            await self.lab.delete(Kind.GROUP, self.groups[which])
            self.oracle.forget(f"g{which}")
            self.groups[which] = await self.lab.group(f"g{which}", *ids)
            self.oracle.named[which] = members
        elif ids or verb == "replace":
            await self.lab.patch(Kind.GROUP, self.groups[which], *operations(verb, ids))
            self.oracle.named[which] = {
                "add": named | members, "remove": named - members, "replace": members
            }[verb]  # fmt: skip

    async def end(self):
        await self.lab.run(within_s=600.0)
        counters = await self.lab.counters()
        assert (counters["pending"], counters["parked"], counters["refused"]) == (0, 0, 0)
        for group, roster in self.oracle.rosters().items():
            assert self.together(f"g{group}") == sorted(f"user{n:05}@example.com" for n in roster)
            read = {
                self.users.index(one) if one in self.users else f"g{self.groups.index(one)}"
                for one in await self.lab.members(self.groups[group])
            }
            assert read == self.oracle.named[group]

    def together(self, name):
        """Who is in TFE's group, or in any part of it; nobody may be in two."""
        names = self.lab.names().values()
        parts = [one for one in names if one == name or one.startswith(f"{name} (")]
        return sorted(user for one in parts for user in self.lab.roster(one))


def operations(verb, ids):
    if verb == "add":
        return [add(*ids)]
    if verb == "remove":
        return [remove(one) for one in ids]
    return [{"op": "replace", "path": "members", "value": [{"value": one} for one in ids]}]


async def played(steps, part=None):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        async with lab_in(Path(folder), flatten=True, part=part, threads=False) as lab:
            play = Play(lab)
            await play.begin()
            for step in steps:
                await play.step(*step)
            await play.end()
            assert all(one.verdict.status // 100 == 2 for one in lab.sent if one.method != "GET")


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@example([("add", 0, [0], [1]), ("add", 1, [1], [0]), ("send",), ("remove", 0, [0], [1])])
@example([("add", 0, [0], [1]), ("add", 1, [1], [0]), ("send",), ("remove", 0, [0], [])])
@example(
    [("add", 0, [0], [1, 2]), ("add", 2, [0], []), ("anew", 2, [], []), ("remove", 0, [0], [])]
)
@given(STEPS)
def test_rosters_are_those_of_a_fixpoint_whatever_is_nested_in_what(steps):
    asyncio.run(played(steps))


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(STEPS)
def test_nested_groups_that_overflow_are_the_same_fixpoint_in_parts(steps):
    asyncio.run(played(steps, part=2))
