"""Histories in which a guard of small budgets holds much, and an operator decides at random."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from relay.errors import ParkedBefore
from relay.rules.guard import Budget, GuardPolicy, Loss
from relay.rules.types import Kind, Verb, Write
from relay.store.operate.held import Selection
from relay.store.state.records import ListQuery
from support.history import Entry, Player, Step, time, upsets, writes

NARROW = GuardPolicy(
    3600.0,
    {loss: Budget(count=1) for loss in Loss},
    max_emptied=2,
    protected_groups=("Ann",),
    protected_users=("cy@x.org", "bob@new.example"),
)
EVERYTHING = Selection()

_which = st.integers(0, 5)
approvals = st.one_of(
    st.just(("approve",)),
    st.tuples(st.just("approve_person"), _which),
    st.tuples(st.just("approve_group"), _which),
)
rejections = st.one_of(
    st.just(("reject",)),
    st.tuples(st.just("reject_person"), _which),
    st.tuples(st.just("reject_group"), _which),
)


def decided_histories(
    size: int, decisions: Any = approvals, least: int = 0
) -> st.SearchStrategy[list[Step]]:
    """Lists of steps with an operator's decisions among them."""
    steps = st.one_of(writes, writes, writes, time, upsets, decisions)
    return st.lists(steps, min_size=least, max_size=size)


class GuardedPlayer(Player):
    """Plays what an operator decides, too; after a rejection the fold is what the IdP reads."""

    async def _accept(self, write: Write, identifier: str | None, clashes: bool = False) -> Any:
        """A creation that was rejected is told so, once, when it is repeated."""
        try:
            return await super()._accept(write, identifier, clashes)
        except ParkedBefore:
            assert write.verb is Verb.CREATE
            return None

    def _selection(self, kind: Kind, which: int) -> Selection | None:
        entry = self._pick(self.users if kind is Kind.USER else self.groups, which)
        if entry is None:
            return None
        if kind is Kind.USER:
            return Selection(person=entry.id)
        return Selection(group=entry.id)

    async def _approve(self, selection: Selection | None) -> None:
        if selection is not None:
            await self.world.store.desk.approve(selection, "ann", "fine")

    async def approve(self) -> None:
        await self._approve(EVERYTHING)

    async def approve_person(self, which: int) -> None:
        await self._approve(self._selection(Kind.USER, which))

    async def approve_group(self, which: int) -> None:
        await self._approve(self._selection(Kind.GROUP, which))

    async def _reject(self, selection: Selection | None) -> None:
        if selection is not None:
            await self.world.store.desk.reject(selection, "ann", "no")
            await self.read_back()

    async def reject(self) -> None:
        await self._reject(EVERYTHING)

    async def reject_person(self, which: int) -> None:
        await self._reject(self._selection(Kind.USER, which))

    async def reject_group(self, which: int) -> None:
        await self._reject(self._selection(Kind.GROUP, which))

    async def read_back(self) -> None:
        """Learn anew what the directory shows, as an IdP's next cycle does."""
        directory = self.world.store.directory
        users = (await directory.list(Kind.USER, ListQuery())).resources
        groups = (await directory.list(Kind.GROUP, ListQuery())).resources
        entries = {
            one.public_id: Entry(
                one.public_id,
                str(one.shadow["userName"]),
                one.shadow.get("externalId"),
                one.shadow.get("active", True) is True,
                one.shadow["emails"][0]["value"],
            )
            for one in users
        }
        self.users = list(entries.values())
        self.groups = [
            Entry(
                one.public_id,
                str(one.shadow["displayName"]),
                members=[entries[member.id] for member in one.members or ()],
            )
            for one in groups
        ]

    async def everything_approved(self) -> None:
        """Approve until nothing is held, as an operator who trusts the IdP after all."""
        for _ in range(100):
            await self.world.pass_time(30.0)
            await self.after_step()
            if not await self.world.store.desk.approve(EVERYTHING, "ann", "fine"):
                return
        raise AssertionError("the guard holds something new each time")
