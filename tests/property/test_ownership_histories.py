"""Random histories of two own connections, one for all and an operator: a plain oracle says whose."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.idp import patch_body, user
from support.lab import lab_in

from relay.errors import Refused
from relay.rules import dialect
from relay.rules.types import Kind, Verb, Write
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.operate.giving import Estate
from relay.store.state.rows import by_id

NAMES = [f"{name}@example.com" for name in ("ada", "bob", "eve")]
OWN = ("okta", "entra")
WHO = st.sampled_from((*OWN, *OWN, "admin"))
NAME = st.sampled_from(NAMES)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), WHO, NAME),
        st.tuples(st.just("create"), WHO, NAME),
        st.tuples(st.just("retitle"), WHO, NAME),
        st.tuples(st.just("delete"), WHO, NAME),
        st.tuples(st.just("rename"), WHO, NAME, NAME),
        st.tuples(st.just("transfer"), st.sampled_from((*OWN, "nobody")), NAME),
        st.tuples(st.just("deliver"), st.sampled_from((None, *NAMES))),
        st.tuples(st.just("refused"), WHO, NAME),
    ),
    max_size=30,
)


@dataclass
class Known:
    """A user as the oracle knows it."""

    name: str
    owner: str
    life: str = "live"  # or parked, gone
    created: bool = False


class Oracle:
    """Says what each step is answered and whose everything is; knows nothing of SQL."""

    def __init__(self, lab):
        self.lab = lab
        self.users: dict[str, Known] = {}
        self.number = itertools.count()

    def live(self, name):
        return next(
            (key for key, one in self.users.items() if (one.life, one.name) == ("live", name)), None
        )

    def may(self, who, one):
        return who not in OWN or one.owner == who

    async def asked(self, who, write, identifier=None):
        """The status of a write, and the id it is answered with."""
        directory = self.lab.store.directory
        try:
            accepted = await directory.accept(who, write, identifier, own=who in OWN)
        except Refused as refusal:
            return refusal.status, None
        directory.answered(accepted.change)
        return 200, accepted.resource and accepted.resource.public_id

    async def create(self, who, name):
        body = user(name, title=f"number {next(self.number)}")
        status, identifier = await self.asked(who, dialect.parse_create(Kind.USER, body))
        if self.live(name) is not None:
            assert status == 409
            return
        assert status == 200
        parked = {
            key
            for key, one in self.users.items()
            if (one.life, one.name) == ("parked", name)
            and (self.may(who, one) or one.owner == "nobody")
        }
        assert identifier in parked if parked else identifier not in self.users
        self.users[identifier] = Known(name, who)

    async def retitle(self, who, name):
        value = {"title": f"number {next(self.number)}"}
        await self._write(who, name, {"op": "replace", "value": value})

    async def rename(self, who, name, to):
        """Of who is in TFE: a creation that is refused with its rename is taken apart (S7)."""
        if (key := self.live(name)) is None or not self.users[key].created:
            return
        key = await self._write(
            who, name, {"op": "replace", "value": {"userName": to}}, taken=self.live(to)
        )
        if key is not None:
            self.users[key].name = to

    async def delete(self, who, name):
        key = await self._write(who, name, None)
        if key is not None:
            self.users[key].life = "gone"

    async def _write(self, who, name, operation, taken=None):
        """A write on the live user of a name; its id if it was to be accepted."""
        key = self.live(name)
        if key is None:
            return None
        write = Write(Verb.DELETE, Kind.USER)
        if operation is not None:
            write = dialect.parse_patch(Kind.USER, patch_body(operation))
        status, _ = await self.asked(who, write, key)
        if not self.may(who, self.users[key]):
            assert status == 403
        elif taken not in (None, key):
            assert status == 409
        else:
            assert status == 200
            return key
        return None

    async def transfer(self, to, name):
        key = self.live(name)
        if key is None or self.users[key].owner == to:
            return
        estate = Estate(self.users[key].owner, to, users=(name,))
        assert [one.id for one in await self.lab.store.desk.transfer(estate, "op", "why")] == [key]
        self.users[key].owner = to

    async def deliver(self, refused):
        """Everything goes out; TFE refuses to create one name."""
        self.lab.tfe.faults.clear()
        if refused is not None:
            fault = Fault(kind=FaultKind.STATUS, status=422, detail="no")
            named = f'"userName":"{refused}"'
            self.lab.tfe.faults.add(fault, Match(method="POST", body=named, count=None))
        await self.lab.run()
        for one in self.users.values():
            if one.life == "live" and not one.created and one.name == refused:
                one.life = "parked"
            one.created = one.created or one.life == "live"

    async def refused(self, who, name):
        """A creation that TFE refuses, so that somebody else may try it."""
        await self.create(who, name)
        await self.deliver(name)

    async def agrees(self):
        for key, one in self.users.items():
            found = await self.lab.store.run(lambda tx, key=key: by_id(tx, Kind.USER, key))
            assert (found.owner, found.name) == (one.owner, one.name)


async def play(steps, folder):
    async with lab_in(folder, threads=False) as lab:
        oracle = Oracle(lab)
        for verb, *words in steps:
            await getattr(oracle, verb)(*words)
            await oracle.agrees()
        await oracle.deliver(None)
        held = {one.fields.user_name for one in lab.tfe.directory.users}
        assert held == {one.name for one in oracle.users.values() if one.life == "live"}
        await lab.counters()


def check(steps):
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(steps, Path(folder)))


COMMON = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}


@settings(max_examples=80, **COMMON)
@given(STEPS)
def test_who_may_change_what_is_as_the_oracle_says_and_tfe_ends_so(steps):
    check(steps)


@pytest.mark.soak
@settings(max_examples=5_000, **COMMON)
@given(STEPS)
def test_thousands_of_histories_end_as_the_oracle_says(steps):
    check(steps)
