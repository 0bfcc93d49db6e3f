"""What operators order over the control socket; each order is audited with who gave it, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import structlog

from relay.errors import RelayError
from relay.ops.errors import NotFound
from relay.rules.conditions import HOLDS
from relay.store.compare.binding import TARGET_NOTE
from relay.store.operate.explaining import what
from relay.store.operate.listing import ChangeFilter
from relay.store.operate.releasing import Selection
from relay.store.state.holds import HoldName
from relay.telemetry import events

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relay.clock import Clock
    from relay.delivery.keeper import Keeper
    from relay.ops.control import Route
    from relay.rules.types import Json, JsonObject
    from relay.settings import Settings
    from relay.store import Store
    from relay.store.compare.drifting import Drift
    from relay.store.operate.releasing import Held
    from relay.store.state.holds import Hold

log = structlog.get_logger(__name__)

SHOWN: Final = 1000
"""Held effects in one answer."""


class Orders:
    """Pausing and resuming, and the decisions on what the guard holds."""

    def __init__(self, settings: Settings, store: Store, keeper: Keeper, clock: Clock) -> None:
        self._settings = settings
        self._store = store
        self._keeper = keeper
        self._clock = clock

    def routes(self) -> dict[str, Route]:
        """What the control socket answers."""
        return {
            "pause": self._pause,
            "resume": self._resume,
            "holds/list": self._list,
            "holds/approve": self._approve,
            "holds/reject": self._reject,
            "changes/retry": self._retry,
            "changes/drop": self._drop,
            "backup": self._backup,
        }

    async def _pause(self, arguments: JsonObject, actor: str) -> Json:
        """Send nothing until `resume`; accepting goes on."""
        await self._keeper.raise_hold(HoldName.OPERATOR, f"{actor}: {why_of(arguments)}")
        return {"hold": HoldName.OPERATOR.value}

    async def _resume(self, arguments: JsonObject, actor: str) -> Json:
        """Lift a hold that only an operator ends.

        Raises:
            NotFound: it does not stand, or lifts by itself.
        """
        name = arguments.get("hold")
        standing = {hold.name for hold in self._keeper.standing}
        if name not in _BY_RESUME or HoldName(str(name)) not in standing:
            raise NotFound(f"no hold {name} stands that an operator could lift")
        if name == HoldName.RESTORED:
            await self._decide_restored(arguments.get("keep"), actor)
        if name == HoldName.FOREIGN:
            await self._store.note(TARGET_NOTE, self._settings.target.url)
        await self._keeper.lift(HoldName(str(name)), f"{actor}: {why_of(arguments)}")
        return {"lifted": str(name)}

    async def _decide_restored(self, keep: Json, actor: str) -> None:
        """Say who is right where TFE and a restored database differ.

        Raises:
            RelayError: TFE was not read whole yet, or nobody was named.
        """
        if not (await self._store.import_state()).done:
            raise RelayError("cannot decide yet: Terraform Enterprise is still being read")
        if keep == "target":
            await self._store.desk.follow_target(actor)
        elif keep != "directory":
            raise RelayError("say who is right: --keep target or --keep directory")

    async def _list(self, arguments: JsonObject, _actor: str) -> Json:
        """All holds, what the guard holds, and where TFE and an IdP differ after a rejection."""
        now = await self._store.snapshot()
        held = await self._store.desk.held(_selection(arguments, empty=True))
        return {
            "holds": [
                {
                    "hold": hold.name.value,
                    "age_s": self._age(hold.since),
                    "reason": hold.reason,
                    "cause": HOLDS[hold.name.value].cause,
                    "cure": HOLDS[hold.name.value].cure,
                }
                for hold in now.holds
            ],
            "held": self._rows(held),
            "held_effects": len(held),
            "drift": [
                {
                    "kind": one.kind,
                    "name": one.name,
                    "what": what(one.key, one.member, one.kind),
                    "revokes": one.revokes,
                }
                for one in await self._drifts(now.holds)
            ],
            "differs": [
                {
                    "kind": row["kind"],
                    "name": row["name"],
                    "what": _what(row),
                    "change": row["change"],
                    "connection": row["connection"],
                    "age_s": self._age(row["at"]),
                    "rejected_by": row["actor"],
                    "reason": row["reason"],
                }
                for row in await self._store.desk.rejected()
            ],
        }

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
                "what": what(one.key, one.member, one.kind),
                "held_by": one.why,
                "age_s": self._age(one.at),
            }
            for one in held[:SHOWN]
        ]

    def _age(self, at: Any) -> float:
        return round(max(0.0, self._clock.wall() - float(at)), 3)

    async def _approve(self, arguments: JsonObject, actor: str) -> Json:
        """Let held effects go."""
        selection, why = _selection(arguments), why_of(arguments)
        return self._decided(
            "approved", await self._store.desk.approve(selection, actor, why), actor
        )

    async def _reject(self, arguments: JsonObject, actor: str) -> Json:
        """Undo held effects; TFE keeps what it has."""
        selection, why = _selection(arguments), why_of(arguments)
        return self._decided(
            "rejected", await self._store.desk.reject(selection, actor, why), actor
        )

    async def _backup(self, arguments: JsonObject, _actor: str) -> Json:
        """Copy the database to a file on the daemon's machine."""
        to = Path(str(arguments.get("file")))
        if not to.is_absolute():
            raise RelayError("cannot back up to a path that is not absolute")
        return {"file": str(to), "bytes": await self._store.desk.backup(to)}

    async def _retry(self, arguments: JsonObject, actor: str) -> Json:
        """Try parked changes again, and waiting ones at once."""
        why = why_of(arguments)
        done: list[Json] = []
        refused: list[Json] = []
        for change in await self._chosen(arguments):
            try:
                done += await self._store.desk.retry(change, actor, why)
            except RelayError as error:
                refused.append({"change": change, "reason": str(error)})
        return {"retried": done, "refused": refused}

    async def _drop(self, arguments: JsonObject, actor: str) -> Json:
        """End changes for good; what they wrote and TFE has not taken is undone."""
        why = why_of(arguments)
        done: list[Json] = []
        refused: list[Json] = []
        for change in await self._chosen(arguments):
            try:
                await self._store.desk.drop(change, actor, why)
            except RelayError as error:
                refused.append({"change": change, "reason": str(error)})
            else:
                done.append(change)
        return {"dropped": done, "refused": refused}

    async def _chosen(self, arguments: JsonObject) -> Sequence[int]:
        """The changes that an order means, oldest first.

        Raises:
            NotFound: there are none.
            RelayError: neither numbers nor a filter were given: nothing is done by accident.
        """
        numbers = arguments.get("changes")
        if isinstance(numbers, list) and numbers:
            return [number for number in numbers if isinstance(number, int)]
        wanted = filter_of(arguments, self._clock.wall())
        if wanted == ChangeFilter():
            raise RelayError("cannot do that to everything by accident: give numbers or a filter")
        rows = await self._store.changes(wanted, limit=SHOWN)
        if not rows:
            raise NotFound("no change matches; see `scim-relay changes list`")
        return sorted(int(str(row["id"])) for row in rows)

    def _decided(self, decision: str, held: Sequence[Held], actor: str) -> Json:
        if not held:
            raise NotFound("nothing that is held matches; see `scim-relay holds list`")
        log.info(events.GUARD_DECIDED, decision=decision, effects=len(held), actor=actor)
        return {decision: len(held), "effects": self._rows(held)}


_BY_RESUME: Final = (HoldName.OPERATOR, HoldName.FOREIGN, HoldName.RESTORED)


def _what(row: JsonObject) -> str:
    return what(cast("int", row["key"]), cast("str | None", row["member"]), str(row["kind"]))


def filter_of(arguments: JsonObject, now: float) -> ChangeFilter:
    """The conditions that a command's options name; `older_s` is an age in seconds."""
    texts = {
        name: str(arguments[name])
        for name in ("state", "kind", "resource", "connection")
        if arguments.get(name)
    }
    older = arguments.get("older_s")
    return ChangeFilter(**texts, before=now - older if isinstance(older, int | float) else None)


def why_of(arguments: JsonObject) -> str:
    """The reason an order must have.

    Raises:
        RelayError: none is given.
    """
    reason = arguments.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise RelayError("cannot do it without a reason: it is kept in the audit log")
    return reason.strip()


def _selection(arguments: JsonObject, *, empty: bool = False) -> Selection:
    """Which held effects are meant.

    Raises:
        RelayError: no filter is given and `all` is not said: nothing is decided by accident.
    """
    names = ("connection", "person", "group")
    texts = {name: str(arguments[name]) for name in names if arguments.get(name)}
    change = arguments.get("change")
    if not (texts or isinstance(change, int) or arguments.get("all") or empty):
        raise RelayError("cannot decide on everything by accident: give a filter, or --all")
    return Selection(
        texts.get("connection"),
        texts.get("person"),
        texts.get("group"),
        change if isinstance(change, int) else None,
    )
