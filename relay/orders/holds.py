"""What stands still and why: holds, and what the guard holds, to be let go or undone."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import structlog

from relay.clock import age_s
from relay.ops.errors import NotFound
from relay.orders.arguments import SHOWN, selection_of, why_of
from relay.orders.comparing import being_read
from relay.rules.conditions import HOLDS
from relay.store.operate.explaining import deed, what
from relay.store.state.holds import HoldName
from relay.telemetry import events

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relay.clock import Clock
    from relay.ops.control import Route
    from relay.rules.types import Json, JsonObject
    from relay.store import Store
    from relay.store.compare.drifting import Drift
    from relay.store.operate.held import Held
    from relay.store.state.holds import Hold

log = structlog.get_logger(__name__)


class HoldOrders:
    """Answers `holds list`, `holds approve` and `holds reject`.

    Args:
        store: whose holds, and whose held effects.
        clock: time.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def routes(self) -> dict[str, Route]:
        """What the control socket answers."""
        return {
            "holds/list": self._list,
            "holds/approve": self._approve,
            "holds/reject": self._reject,
        }

    async def _list(self, arguments: JsonObject, _actor: str) -> Json:
        """All holds, what the guard holds, and where TFE and an IdP differ after a rejection."""
        now = await self._store.snapshot()
        held = await self._store.desk.held(selection_of(arguments, empty=True))
        return {
            "holds": [
                {
                    "hold": hold.name.value,
                    "age_s": age_s(self._clock, hold.since),
                    "reason": hold.reason,
                    "cause": HOLDS[hold.name.value].cause,
                    "cure": HOLDS[hold.name.value].cure,
                }
                for hold in now.holds
            ],
            "held": self._rows(held),
            "held_effects": len(held),
            "comparing": await self._comparing(now.holds),
            "drift": [
                {
                    "kind": one.kind,
                    "name": one.name,
                    "what": what(one.key, one.member, one.kind),
                    "revokes": one.revokes,
                }
                for one in await self._drifts(now.holds)
            ],
            "differs": await self._differs(),
        }

    async def _differs(self) -> list[Json]:
        """Where an operator's no left TFE and an IdP apart."""
        return [
            {
                "kind": row["kind"],
                "name": row["name"],
                "what": _what(row),
                "change": row["change"],
                "connection": row["connection"],
                "age_s": age_s(self._clock, cast("float", row["at"])),
                "rejected_by": row["actor"],
                "reason": row["reason"],
            }
            for row in await self._store.desk.rejected()
        ]

    async def _comparing(self, standing: Sequence[Hold]) -> Json:
        """Why what `drift` lists is not all of it yet; None: it is, or there is no such hold."""
        names = {hold.name for hold in standing}
        if HoldName.RESTORED not in names or await self._store.comparison.restored():
            return None
        return being_read(names)

    async def _drifts(self, standing: Sequence[Hold]) -> Sequence[Drift]:
        """The differences that an operator decides on while the hold `restored` stands."""
        if HoldName.RESTORED not in {hold.name for hold in standing}:
            return ()
        return await self._store.desk.drifts()

    def _rows(self, held: Sequence[Held]) -> list[Json]:
        return [
            {
                "change": one.change,
                "connection": one.connection,
                "kind": one.kind,
                "name": one.name,
                "what": deed(one.key, one.member, one.kind, revokes=bool(one.revokes)),
                "held_by": one.why,
                "age_s": age_s(self._clock, one.at),
            }
            for one in held[:SHOWN]
        ]

    async def _approve(self, arguments: JsonObject, actor: str) -> Json:
        """Let held effects go."""
        selection, why = selection_of(arguments), why_of(arguments)
        return self._decided(
            "approved", await self._store.desk.approve(selection, actor, why), actor
        )

    async def _reject(self, arguments: JsonObject, actor: str) -> Json:
        """Undo held effects; TFE keeps what it has."""
        selection, why = selection_of(arguments), why_of(arguments)
        return self._decided(
            "rejected", await self._store.desk.reject(selection, actor, why), actor
        )

    def _decided(self, decision: str, held: Sequence[Held], actor: str) -> Json:
        if not held:
            raise NotFound("nothing that is held matches; see `scim-relay holds list`")
        log.info(events.GUARD_DECIDED, decision=decision, effects=len(held), actor=actor)
        return {decision: len(held), "effects": self._rows(held)}


def _what(row: JsonObject) -> str:
    return what(cast("int", row["key"]), cast("str | None", row["member"]), str(row["kind"]))
