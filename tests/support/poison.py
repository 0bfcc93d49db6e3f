"""Histories against a TFE that refuses some things for good, whoever asks and however often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from relay.errors import RelayError
from relay.simulator import Fault, FaultKind, Match
from relay.store.operate.listing import ChangeFilter
from support.decisions import GuardedPlayer
from support.history import Step, time, upsets, writes

if TYPE_CHECKING:
    from relay.rules.types import Write

poisons = st.tuples(
    st.just("poison"),
    st.sampled_from(("ann@x.org", "bob", "e1", "e2", "new.example", "Ann")),
    st.sampled_from((400, 409, 413, 422, 404, 500)),
    st.sampled_from(("POST", "PATCH", None)),
)
orders = st.sampled_from((("retry",), ("drop",), ("cure",)))


def poisoned_histories(size: int, least: int = 0) -> st.SearchStrategy[list[Step]]:
    """Lists of steps with refusals for good, and an operator who retries and drops."""
    steps = st.one_of(writes, writes, writes, writes, time, upsets, poisons, orders)
    return st.lists(steps, min_size=least, max_size=size)


class PoisonedPlayer(GuardedPlayer):
    """What becomes of a change is TFE's to say; the fold is what the IdP reads in the end."""

    async def quiet(self) -> None:
        """Nobody writes any more: what TFE refuses is not sent over and over again."""
        await self.world.pass_time(7200.0)
        before = self.world.target.sent
        await self.world.pass_time(1800.0)
        lanes = await self.world.store.run(lambda tx: tx.value("SELECT count(*) FROM lane"))
        assert self.world.target.sent - before <= 60 * (lanes + 1)

    async def poison(self, body: str, status: int, method: str | None) -> None:
        """From now on TFE refuses every write whose body has this text."""
        fault = Fault(kind=FaultKind.STATUS, status=status, detail="never")
        self.world.tfe.faults.add(fault, Match(method=method, body=body, count=None))

    async def cure(self) -> None:
        self.world.tfe.faults.clear()

    async def retry(self) -> None:
        await self._order(self.world.store.desk.retry, "parked")

    async def drop(self) -> None:
        await self._order(self.world.store.desk.drop, "parked")
        await self._order(self.world.store.desk.drop, "pending")

    async def _order(self, order: Any, state: str) -> None:
        for change in await self.world.store.changes(ChangeFilter(state=state), limit=2):
            try:
                await order(change["id"], "ann", "a try")
            except RelayError:
                continue
        await self.read_back()

    async def _accept(self, write: Write, identifier: str | None, clashes: bool = False) -> Any:
        del clashes
        try:
            accepted = await self.world.store.directory.accept("idp", write, identifier)
        except RelayError:
            return None
        return None if accepted.repeat else accepted
