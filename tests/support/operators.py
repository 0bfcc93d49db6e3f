"""Histories in which an operator drops and retries at random: pending, held and parked changes.

TFE had people before the relay came, loses some, refuses some for good, and history is pruned in
between, so that what an order undoes must be known without the creation.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from relay.delivery.reconciler import Reconciler, ReconcileSettings
from relay.ops.errors import NotFound
from relay.orders.changes import ChangeOrders
from relay.simulator.records import GroupFields, UserFields
from relay.store.operate import pruning
from relay.store.operate.listing import ChangeFilter
from relay.store.state.holds import HoldName
from support.history import Step, time, upsets, writes
from support.poison import PoisonedPlayer, poisons

if TYPE_CHECKING:
    from relay.rules.types import Write
    from support.world import World

MOST_LOST = 2
"""Of what TFE loses; with more it would be another TFE (K5)."""
OPEN_STATES = ("parked", "pending")
_which = st.integers(0, 5)
_verb = st.sampled_from(("drop", "drop", "retry"))
_state = st.sampled_from(OPEN_STATES)
had = st.tuples(
    st.just("had"),
    st.lists(st.sampled_from(("ann", "bob", "cy")), unique=True).map(tuple),
    st.lists(
        st.tuples(st.sampled_from(("ann", "bob", "cy")), st.lists(_which, max_size=2).map(tuple)),
        max_size=2,
        unique_by=lambda one: one[0],
    ).map(tuple),
)
orders = st.one_of(
    st.tuples(st.just("order"), _verb, _state, _which),
    st.tuples(st.just("order"), _verb, _state, _which),
    st.tuples(st.just("orders"), _verb, _state, st.sampled_from(("User", "Group", ""))),
)
events = st.one_of(
    st.just(("cure",)),
    st.just(("prune",)),
    st.tuples(st.just("jump"), st.sampled_from((-7200.0, -40.0, 40.0, 7200.0))),
    st.tuples(st.just("lose"), st.sampled_from(("users", "groups")), _which),
)


def operated_histories(size: int, least: int = 0) -> st.SearchStrategy[list[Step]]:
    """What TFE had, then steps with refusals for good and an operator's orders among them."""
    steps = st.one_of(writes, writes, writes, time, upsets, poisons, orders, orders, events)
    return st.builds(
        lambda first, rest: [first, *rest], had, st.lists(steps, min_size=least, max_size=size)
    )


@dataclass(frozen=True)
class Image:
    """What is desired of a resource, whether or not anybody can read it."""

    fields: tuple[Any, ...]
    members: frozenset[int]


class OperatedPlayer(PoisonedPlayer):
    """Plays what an operator orders over the control socket."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._lost = 0
        self._before: dict[int, Image | None] = {}

    # --- what goes on around the IdP --------------------------------------------------------

    async def had(self, users: tuple[str, ...], groups: tuple[Any, ...]) -> None:
        """What TFE held before the relay came is read in."""
        directory, importer = self.world.tfe.directory, self.world.importer
        made = [
            directory.create_user(UserFields(f"{name}@x.org", f"{name}@x.org")).stamp.id
            for name in users
        ]
        for name, which in groups:
            members = dict.fromkeys(made[one % len(made)] for one in which if made)
            directory.create_group(GroupFields(name, members=members))
        await importer.load()
        await importer.run()
        await self.read_back()

    async def prune(self) -> None:
        """All history that may go goes."""
        await self.world.store.run(lambda tx: pruning.prune(tx, tx.now, pruning.Cursor()))

    async def jump(self, seconds: float) -> None:
        self.world.clock.set_anew(seconds)

    async def lose(self, kind: str, which: int) -> None:
        """Somebody deletes a user or a group in TFE, behind the relay's back."""
        table = getattr(self.world.tfe.directory, kind)
        there = [one.stamp.id for one in table]
        if there and self._lost < MOST_LOST:
            self._lost += 1
            delete = getattr(self.world.tfe.directory, f"delete_{kind[:-1]}")
            delete(there[which % len(there)])

    # --- the IdP ----------------------------------------------------------------------------

    async def _accept(self, write: Write, identifier: str | None, clashes: bool = False) -> Any:
        before = await self.world.store.run(lambda tx: image_of(tx, identifier))
        accepted = await super()._accept(write, identifier, clashes)
        if accepted is not None and accepted.change:
            self.world.store.directory.answered(accepted.change)
            self._before[accepted.change] = before
        return accepted

    # --- the operator -----------------------------------------------------------------------

    async def order(self, verb: str, state: str, which: int) -> None:
        """One change, by its number."""
        found = await self.world.store.desk.numbers(ChangeFilter(state=state))
        if found:
            await self._told(verb, {"changes": [found[which % len(found)]]})

    async def orders(self, verb: str, state: str, kind: str) -> None:
        """All that a filter means."""
        await self._told(verb, {"state": state, "kind": kind})

    async def _told(self, verb: str, meant: dict[str, Any]) -> Any:
        world = self.world
        routes = ChangeOrders(world.store, world.holds, world.clock).routes()
        try:
            done = await routes[f"changes/{verb}"]({**meant, "reason": "a try"}, "ann")
        except NotFound:
            return []
        await self.read_back()
        return done

    async def after_step(self) -> None:
        await super().after_step()
        found = await self.world.store.run(lies)
        assert not found, found

    # --- the end ----------------------------------------------------------------------------

    async def end(self, seed: int) -> None:
        """All trouble ends; then the operator decides on everything that is parked."""
        await self.quiet()
        self.world.tfe.faults.clear()
        await self._settled()
        self._is_right()
        rng = random.Random(seed)
        for _ in range(60):
            if not (await self.world.counters())["parked"]:
                break
            await self.order(rng.choice(("drop", "retry")), "parked", rng.randint(0, 5))
            await self._settled()
        assert not (await self.world.counters())["parked"], await self.world.store.changes(
            ChangeFilter()
        )
        self._is_right()
        assert await self.world.store.run(zombies) == []

    async def _settled(self) -> None:
        await self._nothing_left()
        if self._lost:
            await self._compared()
            await self._nothing_left()
        await self.after_step()
        await self.read_back()

    async def _nothing_left(self) -> None:
        for _ in range(3):
            await self._rebuilt()
            await self.everything_approved()
            await self._rebuilt()
        await self.world.settled()

    async def _rebuilt(self) -> None:
        """What TFE lost may have looked like another TFE."""
        for _ in range(5):
            if HoldName.FOREIGN not in {one.name for one in await self.world.store.holds()}:
                return
            await self.world.rebuilder.order("test")
            await self.world.pass_time(600.0)
        raise AssertionError("the hold `foreign` does not end")

    async def _compared(self) -> None:
        """A sweep finds what TFE lost and nobody wrote to since."""
        world = self.world
        reconciler = Reconciler(
            store=world.store,
            importer=world.importer,
            holds=world.holds,
            identity=world.identity,
            clock=world.clock,
            settings=ReconcileSettings(every_s=0.0),
        )
        await world.importer.load()
        sweeping = asyncio.create_task(reconciler.run())
        try:
            await world.pass_time(1.0)
            sweep = await reconciler.order(mend=True)
            while sweep.finished is None:
                await world.pass_time(5.0)
                await self._rebuilt()
                sweep = await world.store.comparison.sweep()
        finally:
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)

    def _is_right(self) -> None:
        there, read = self.held(), self.expected()
        assert there == read, {"tfe": there, "read": read}


def image_of(tx: Any, identifier: str | None) -> Image | None:
    """What is desired of the resource with an id."""
    row = tx.one(
        "SELECT r.id, r.name, r.external_id, r.active, r.email FROM resource r"
        " JOIN alias a ON a.resource = r.id WHERE a.id = ?",
        (identifier,),
    )
    if row is None:
        return None
    members = tx.all("SELECT user_id FROM member WHERE group_id = ? AND desired = 1", (row[0],))
    return Image(row[1:], frozenset(user for (user,) in members))


def lies(tx: Any) -> list[Any]:
    """Rows and counts that do not say what is."""
    wrong = [(about, *row) for about, query in _LIES.items() for row in tx.all(query)]
    for state in OPEN_STATES:
        counted = tx.value("SELECT value FROM counter WHERE name = ?", (state,))
        there = tx.value("SELECT count(*) FROM change WHERE state = ?", (state,))
        if counted != there:
            wrong.append((state, counted, there))
    return wrong


_LIES = {
    "a roster's size": "SELECT name, size FROM resource g WHERE kind = 'Group' AND state = 'live'"
    " AND size <> (SELECT count(*) FROM member WHERE group_id = g.id AND desired = 1)",
    "what takes access away": "SELECT r.name, e.key, e.revokes, e.state FROM effect e JOIN resource"
    " r ON r.id = e.resource LEFT JOIN member m ON m.group_id = r.id AND m.user_id = e.key"
    " WHERE e.state <> 'parked' AND e.revokes <> CASE WHEN e.key > 0 THEN ifnull(m.desired, 0) = 0"
    " WHEN e.key = -3 THEN r.active = 0 WHEN e.key = 0 THEN r.state = 'deleted' ELSE 0 END",
    "the guard's ledger": "SELECT r.name, v.key, v.loss FROM revocation v JOIN resource r"
    " ON r.id = v.resource LEFT JOIN member m ON m.group_id = r.id AND m.user_id = v.key"
    " WHERE r.state = 'live' AND v.weight > 0 AND CASE WHEN v.key > 0 THEN ifnull(m.desired, 0) = 1"
    " WHEN v.key = -3 THEN r.active = 1 ELSE 1 END",
    "a trip": "SELECT connection FROM trip WHERE NOT EXISTS (SELECT 1 FROM effect"
    " WHERE held_by = 'budget of ' || connection)",
}
"""By what they are about: rows that say what is not so."""


def zombies(tx: Any) -> list[Any]:
    """Resources that are parked though none of their changes is."""
    found: list[Any] = tx.all("SELECT name, state FROM resource WHERE state = 'parked'")
    return found
