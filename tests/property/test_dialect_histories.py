"""Random histories in random dialects: the plain oracle's state, in a bounded number of requests.

Every form U1 to U25 and G1 to G26 is a generator (`support.forms`); what is meant goes to the
oracle, one of its forms to the relay. 2,100 histories a run, against the stand-in
that keeps TFE's contract; its clock is turned by hand.

*The bound.* A phase is what happens between two moments at which nothing is left to send. In a
phase TFE is sent at most, for each resource that differs from what TFE held when it began, 1
request, and

* 1 more for a group that loses members and gains somebody whom TFE did not have: the removal may
  not wait for the creation (semantics H2);
* 2 more for a resource whose new name TFE held under another resource: what else differs may go
  ahead of the name, and of a ring of names the oldest goes by way of a third (S3).

*Proof.* A lane is claimed only while it has an open effect, and an effect is open only while
desired and confirmed differ (S6): a resource that does not differ gets none. Nothing is refused
and no answer is lost (the test asserts it), so each request confirms all it carries. A plan
carries every open effect of its lane that may be sent, in one request: these histories stay below
100 operations after folding, 1,000 members and 1 MB. What may not be sent yet is an addition whose
user TFE lacks, or a name that is not free. The first makes its lane rest for 5 s, in which all
users are sent, unless a removal makes it urgent: then the removals go alone, and the rest is one
more, since by then no other effect is left. The second lets other effects go ahead (one), then
waits for the holder; in a ring a temporary name goes first (one), then the name itself, which is
the request counted above.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as st
from support import forms
from support.forms import Picture
from support.idp import group, user
from support.lab import lab_in

from relay.errors import Refused
from relay.rules import dialect
from relay.rules.types import Kind, Verb, Write

NAMES = ("ann@x.org", "bob@x.org", "cy@x.org", "ANN@x.org")
TEAMS = ("red", "blue", "Red")
ADDRESSES = ("a@new.example", "b@new.example", "c@new.example")
WHICH = st.integers(0, 4)
SOME = st.lists(WHICH, max_size=4)


def meaning(name: str, table: dict[str, Any], *arguments: Any) -> Any:
    return st.tuples(st.just(name), st.sampled_from(sorted(table)), WHICH, *arguments)


OF_USERS = st.one_of(
    st.tuples(st.just("hire"), st.sampled_from(NAMES), st.booleans(), st.integers(0, 3)),
    st.tuples(st.just("fire"), WHICH),
    st.tuples(st.just("put_user"), WHICH, st.sampled_from(NAMES), st.booleans(), st.booleans()),
    *(meaning("activate", forms.ACTIVE, st.booleans()) for _ in range(3)),
    meaning("move", forms.EMAIL, st.sampled_from(ADDRESSES)),
    meaning("move_all", forms.EMAILS, st.sampled_from(ADDRESSES)),
    meaning("swap", forms.SWAP, st.sampled_from(ADDRESSES)),
    meaning("no_work", forms.NO_WORK, st.booleans()),
    meaning("other", forms.OTHER, st.sampled_from(ADDRESSES)),
    meaning("call_user", forms.USER_NAME, st.sampled_from(NAMES)),
    meaning("number_user", forms.EXTERNAL, st.sampled_from(("e1", "e2"))),
    *(meaning("nothing", forms.NOTHING, st.sampled_from(("x", "y"))) for _ in range(2)),
)
OF_GROUPS = st.one_of(
    st.tuples(st.just("found"), st.sampled_from(TEAMS), SOME),
    st.tuples(st.just("disband"), WHICH),
    st.tuples(st.just("put_group"), WHICH, st.sampled_from(TEAMS), st.one_of(st.none(), SOME)),
    *(meaning("join", forms.JOIN, SOME) for _ in range(3)),
    *(meaning("leave", forms.LEAVE, SOME) for _ in range(2)),
    meaning("roster", forms.ROSTER, SOME),
    meaning("empty", forms.EMPTY),
    meaning("call_group", forms.GROUP_NAME, st.sampled_from(TEAMS)),
    meaning("number_group", forms.GROUP_EXTERNAL, st.sampled_from(("e1", "e2"))),
)
SEND = st.just(("send",))
ALREADY = [
    *(("hire", name, True, 0) for name in NAMES[:3]),
    ("found", TEAMS[0], [0, 1]),
    ("found", TEAMS[1], [2]),
]


def histories(*steps: Any, size: int = 20) -> Any:
    """Anything in any order, mostly with somebody there."""
    long = st.lists(st.one_of(*steps), min_size=size // 2, max_size=size)
    already = st.sampled_from(([], ALREADY, [*ALREADY, ("send",)], ALREADY[:2]))
    return st.one_of(
        st.lists(st.one_of(*steps), max_size=4),
        *2 * [st.tuples(already, long).map(lambda pair: [*pair[0], *pair[1]])],
    )


@dataclass(frozen=True)
class Held:
    """What TFE is to hold of a resource, by the relay's ids."""

    kind: Kind
    name: str
    external: str | None
    active: bool | None = None
    email: str | None = None
    members: frozenset[str] = frozenset()


class Play:
    """One history against the relay and the oracle."""

    def __init__(self, lab: Any, used: Counter[str]) -> None:
        self.lab, self.used = lab, used
        self.users: list[Picture] = []
        self.groups: list[Picture] = []
        self.before: dict[str, Held] = {}

    async def play(self, steps: list[Any]) -> None:
        for verb, *arguments in steps:
            await getattr(self, verb)(*arguments)
        await self.send()

    # --- what TFE is sent -------------------------------------------------------------------

    def wanted(self) -> dict[str, Held]:
        users = {
            one.id: Held(Kind.USER, one.name, one.external, one.active, one.email)
            for one in self.users
        }
        groups = {
            one.id: Held(Kind.GROUP, one.name, one.external, members=frozenset(one.members))
            for one in self.groups
        }
        return users | groups

    def bound(self) -> int:
        after, total = self.wanted(), 0
        held = {(one.kind, one.name.casefold()): key for key, one in self.before.items()}
        for key in self.before.keys() | after.keys():
            old, new = self.before.get(key), after.get(key)
            if old == new:
                continue
            total += 1
            if new is None:
                continue
            if held.get((new.kind, new.name.casefold()), key) != key:
                total += 2
            if old is not None and old.members - new.members:
                total += bool(new.members - self.before.keys())
        return total

    async def send(self) -> None:
        """Everything is sent; TFE holds the oracle's state, by legal requests, in few of them."""
        first = len(self.lab.sent)
        await self.lab.run()
        sent = self.lab.sent[first:]
        assert [one for one in sent if (one.verdict.status or 0) // 100 != 2] == []
        bound = self.bound()
        assert len(sent) <= bound
        self.used.update(sent=len(sent), bound=bound)
        counters = await self.lab.counters()
        assert (counters["pending"], counters["parked"], counters["refused"]) == (0, 0, 0)
        wanted = self.wanted()
        assert await self.held(wanted) == wanted
        self.before = wanted

    async def held(self, wanted: dict[str, Held]) -> dict[str, Held]:
        ids = {await self.lab.target(key): key for key in wanted}
        directory, found = self.lab.tfe.directory, {}
        for one in directory.users:
            fields = one.fields
            found[ids.get(one.stamp.id, one.stamp.id)] = Held(
                Kind.USER, fields.user_name, fields.external_id, fields.active, fields.email
            )
        for one in directory.groups:
            fields = one.fields
            members = frozenset(ids.get(member, member) for member in fields.members)
            found[ids.get(one.stamp.id, one.stamp.id)] = Held(
                Kind.GROUP, fields.display_name, fields.external_id, members=members
            )
        return found

    # --- what is written --------------------------------------------------------------------

    async def accept(self, write: Write, identifier: str | None, *, clashes: bool = False) -> Any:
        """A 409 comes exactly where the oracle says so."""
        try:
            accepted = await self.lab.accept(write, identifier)
        except Refused as refused:
            if not clashes or refused.status != 409:
                raise
            return None
        assert not clashes
        return accepted

    async def patch(
        self, kind: Kind, one: Picture, number: str, operations: Any, *, clashes: bool = False
    ) -> bool:
        self.used[number] += 1
        if not operations:
            return False
        write = dialect.parse_patch(kind, forms.wrapped(number, operations))
        return await self.accept(write, one.id, clashes=clashes) is not None

    @staticmethod
    def pick(entries: list[Picture], which: int) -> Picture | None:
        return entries[which % len(entries)] if entries else None

    def some(self, which: list[int]) -> list[str]:
        found = [self.pick(self.users, index) for index in which]
        return list(dict.fromkeys(one.id for one in found if one is not None))

    @staticmethod
    def taken(entries: list[Picture], name: str, but: Picture | None = None) -> bool:
        return any(one is not but and one.name.casefold() == name.casefold() for one in entries)

    async def hire(self, name: str, active: bool, shape: int) -> None:
        """A POST: plain, with booleans as text, without an address, or with the URNs of SCIM 1."""
        body, email = user(name, active=active), user(name)["emails"][0]["value"]
        work: str | None = email
        if shape == 1:
            body |= {"active": str(active), "emails": [{**body["emails"][0], "primary": "True"}]}
        elif shape == 2:
            body, email, work = body | {"emails": []}, name, None
        elif shape == 3:
            body |= {"schemas": ["urn:scim:schemas:core:1.0"], "password": "x"}
        write = dialect.parse_create(Kind.USER, body)
        accepted = await self.accept(write, None, clashes=self.taken(self.users, name))
        if accepted is not None:
            made = Picture(accepted.resource.public_id, name, active=active, work=work, email=email)
            self.users.append(made)

    async def fire(self, which: int) -> None:
        if one := self.pick(self.users, which):
            await self.accept(Write(Verb.DELETE, Kind.USER), one.id)
            self.users.remove(one)
            for team in self.groups:
                team.members.discard(one.id)

    async def put_user(self, which: int, name: str, active: bool, bare: bool) -> None:
        """A PUT with the echo of a GET, or without the address (JumpCloud, authentik)."""
        one = self.pick(self.users, which)
        if one is None:
            return
        body = user(name, active=active, id=one.id, meta={"resourceType": "User"}, groups=[])
        if bare:
            body["emails"] = None
        write = dialect.parse_replace(Kind.USER, body)
        if await self.accept(write, one.id, clashes=self.taken(self.users, name, one)):
            one.name, one.active = name, active
            if not bare:
                one.address(body["emails"][0]["value"], None)

    async def of_user(self, table: Any, number: str, which: int, value: Any, **how: Any) -> Any:
        one = self.pick(self.users, which)
        if one is None:
            return None
        clashes = how.get("renames", False) and self.taken(self.users, value, one)
        operations = table[number](one, value)
        done = await self.patch(Kind.USER, one, number, operations, clashes=clashes)
        return one if done else None

    async def activate(self, number: str, which: int, value: bool) -> None:
        if one := await self.of_user(forms.ACTIVE, number, which, value):
            one.active = value

    async def move(self, number: str, which: int, value: str) -> None:
        if one := await self.of_user(forms.EMAIL, number, which, value):
            one.address(value, one.other)

    async def move_all(self, number: str, which: int, value: str) -> None:
        if one := await self.of_user(forms.EMAILS, number, which, value):
            one.address(value, None)

    async def swap(self, number: str, which: int, value: str) -> None:
        one = self.pick(self.users, which)
        if one and one.work and await self.of_user(forms.SWAP, number, which, value):
            one.address(value, one.other)

    async def no_work(self, number: str, which: int, value: bool) -> None:
        if one := await self.of_user(forms.NO_WORK, number, which, value):
            one.address(None, one.other)

    async def other(self, number: str, which: int, value: str) -> None:
        if one := await self.of_user(forms.OTHER, number, which, value):
            one.address(one.work, value)

    async def call_user(self, number: str, which: int, value: str) -> None:
        if one := await self.of_user(forms.USER_NAME, number, which, value, renames=True):
            one.name = value

    async def number_user(self, number: str, which: int, value: str) -> None:
        if one := await self.of_user(forms.EXTERNAL, number, which, value):
            one.external = None if number == "U14" else value

    async def nothing(self, number: str, which: int, value: str) -> None:
        await self.of_user(forms.NOTHING, number, which, value)

    async def found(self, name: str, which: list[int]) -> None:
        members = self.some(which)
        write = dialect.parse_create(Kind.GROUP, group(name, *members))
        accepted = await self.accept(write, None, clashes=self.taken(self.groups, name))
        if accepted is not None:
            made = Picture(accepted.resource.public_id, name, members=set(members))
            self.groups.append(made)

    async def disband(self, which: int) -> None:
        if one := self.pick(self.groups, which):
            await self.accept(Write(Verb.DELETE, Kind.GROUP), one.id)
            self.groups.remove(one)

    async def put_group(self, which: int, name: str, members: list[int] | None) -> None:
        """A PUT with its roster, or without: then it stays (Keycloak, suvera)."""
        one = self.pick(self.groups, which)
        if one is None:
            return
        ids = self.some(members or [])
        body = group(name, *ids, id=one.id)
        if members is None:
            del body["members"]
        write = dialect.parse_replace(Kind.GROUP, body)
        if await self.accept(write, one.id, clashes=self.taken(self.groups, name, one)):
            one.name = name
            one.members = one.members if members is None else set(ids)

    async def of_group(self, table: Any, number: str, which: int, value: Any) -> Picture | None:
        one = self.pick(self.groups, which)
        if one is None:
            return None
        clashes = table is forms.GROUP_NAME and self.taken(self.groups, value, one)
        operations = table[number](one, value)
        done = await self.patch(Kind.GROUP, one, number, operations, clashes=clashes)
        return one if done else None

    async def join(self, number: str, which: int, members: list[int]) -> None:
        ids = self.some(members)
        if one := await self.of_group(forms.JOIN, number, which, ids):
            one.members |= set(ids)

    async def leave(self, number: str, which: int, members: list[int]) -> None:
        ids = self.some(members)
        if one := await self.of_group(forms.LEAVE, number, which, ids):
            one.members -= set(ids)

    async def roster(self, number: str, which: int, members: list[int]) -> None:
        ids = self.some(members)
        if one := await self.of_group(forms.ROSTER, number, which, ids):
            one.members = set(ids)

    async def empty(self, number: str, which: int) -> None:
        if one := await self.of_group(forms.EMPTY, number, which, None):
            one.members = set()

    async def call_group(self, number: str, which: int, value: str) -> None:
        if one := await self.of_group(forms.GROUP_NAME, number, which, value):
            one.name = value

    async def number_group(self, number: str, which: int, value: str) -> None:
        if one := await self.of_group(forms.GROUP_EXTERNAL, number, which, value):
            one.external = value


def played(steps: list[Any], used: Counter[str]) -> None:
    async def main() -> None:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            async with lab_in(Path(folder), threads=False) as lab:
                await Play(lab, used).play(steps)

    asyncio.run(main())


KINDS_OF_HISTORY = {
    "sent often": histories(OF_USERS, OF_GROUPS, SEND),
    "folded": histories(OF_USERS, OF_GROUPS, OF_GROUPS),
    "users": histories(OF_USERS, OF_USERS, SEND),
    "groups": histories(OF_GROUPS, OF_GROUPS, OF_USERS, SEND),
}
EXAMPLES = 525


_VALUES = {
    "activate": (forms.ACTIVE, False), "move": (forms.EMAIL, ADDRESSES[0]),
    "swap": (forms.SWAP, ADDRESSES[1]), "move_all": (forms.EMAILS, ADDRESSES[2]),
    "other": (forms.OTHER, ADDRESSES[0]), "no_work": (forms.NO_WORK, True),
    "call_user": (forms.USER_NAME, NAMES[3]), "number_user": (forms.EXTERNAL, "e1"),
    "nothing": (forms.NOTHING, "x"),
    "join": (forms.JOIN, [0, 1]), "leave": (forms.LEAVE, [0]), "roster": (forms.ROSTER, [1, 2]),
    "empty": (forms.EMPTY, None), "call_group": (forms.GROUP_NAME, TEAMS[2]),
    "number_group": (forms.GROUP_EXTERNAL, "e2"),
}  # fmt: skip
EVERY_FORM = [
    *ALREADY,
    *(
        (verb, number, 0, *([] if value is None else [value]))
        for verb, (table, value) in _VALUES.items()
        for number in table
    ),
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS_OF_HISTORY)
def test_a_history_in_any_dialect_ends_in_the_oracle_s_state_within_the_bound(kind):
    used: Counter[str] = Counter()
    number = list(KINDS_OF_HISTORY).index(kind)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @seed(number)
    @example([("hire", NAMES[0], True, 0), ("found", TEAMS[0], [0]), ("send",), ("fire", 0)])
    @example(EVERY_FORM)
    @example([step for one in EVERY_FORM for step in (one, ("send",))])
    @given(KINDS_OF_HISTORY[kind])
    def run(steps):
        played(steps, used)

    run()
    assert forms.NUMBERS - used.keys() == set()
    assert used["sent"] > 0.85 * used["bound"]  # the bound is not a generous one


def test_every_number_of_the_table_is_a_generator():
    assert {f"U{n}" for n in range(1, 26)} | {f"G{n}" for n in range(1, 27)} == forms.NUMBERS
