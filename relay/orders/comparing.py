"""What operators order and ask of the comparison of TFE with *confirmed*."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.clock import age_s
from relay.store.state.holds import HoldName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relay.clock import Clock
    from relay.delivery.reconciler import Reconciler
    from relay.ops.control import Route
    from relay.rules.types import Json, JsonObject
    from relay.store import Store
    from relay.store.compare.sweeping import Sweep


class Comparing:
    """Begins comparisons, and tells what the last one found."""

    def __init__(self, store: Store, reconciler: Reconciler, clock: Clock) -> None:
        self._store = store
        self._reconciler = reconciler
        self._clock = clock

    def routes(self) -> dict[str, Route]:
        """What the control socket answers."""
        return {"reconcile/begin": self._begin, "reconcile/show": self._show}

    async def _begin(self, arguments: JsonObject, _actor: str) -> Json:
        """Begin one now."""
        return self.told(await self._reconciler.order(mend=not arguments.get("dry_run")))

    async def _show(self, _arguments: JsonObject, _actor: str) -> Json:
        """How far it is, and what it found."""
        found = await self._store.comparison.differences()
        return {
            **self.told(await self._store.comparison.sweep()),
            "differences": [
                {
                    "kind": one.kind,
                    "name": one.name,
                    "what": one.what.value,
                    "detail": one.detail,
                    "age_s": age_s(self._clock, one.at),
                }
                for one in found
            ],
        }

    def told(self, sweep: Sweep) -> JsonObject:
        """A sweep in a few fields; `began_s` is None before the first."""
        return {
            "under_way": sweep.finished is None,
            "began_s": age_s(self._clock, sweep.began) if sweep.began else None,
            "mends": sweep.mend,
            "checked": sweep.checked,
            "found": dict[str, "Json"](sweep.found),
        }


def being_read(standing: Iterable[HoldName]) -> str:
    """That TFE is not read whole yet, and which holds keep it from being read."""
    others = sorted(name.value for name in {*standing} - {HoldName.RESTORED, HoldName.GUARD})
    reading = "Terraform Enterprise is still being read"
    if not others:
        return f"{reading}; ask again when `scim-relay status` says `import: complete`"
    return f"{reading}, and not before the hold {' and '.join(others)} is lifted"
