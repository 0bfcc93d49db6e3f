"""How much may be taken away before an operator is asked (design, *guard*; semantics H3).

Pure: what counts as a loss, and what a budget lets through. What was lost lately is the store's
ledger (`relay.store.guarding.ledger`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from relay.rules.effects import Key

if TYPE_CHECKING:
    from collections.abc import Mapping

ALWAYS_PASS: Final = 20
"""A share never lets fewer through than this: an ordinary day of a small company passes."""


class Loss(StrEnum):
    """What an IdP takes away; each has a budget of its own."""

    DEACTIVATIONS = "deactivations"
    DELETIONS = "deletions"
    REMOVALS = "removals"


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of one loss passes in a window: a number, or a share of what there is.

    Attributes:
        count: a fixed number, exact, or None.
        share: a fraction from 0 to 1, or None.
    """

    count: int | None = None
    share: float | None = None

    @property
    def off(self) -> bool:
        """Whether the budget is switched off (`0` or `"0%"`): everything passes."""
        return not self.count and not self.share

    def allowed(self, population: int) -> int:
        """The number let through when there are `population` of them, rounded down."""
        if self.count is not None:
            return self.count
        return max(ALWAYS_PASS, int((self.share or 0.0) * population))


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """What an operator configured.

    Attributes:
        window_s: the time over which losses are counted, in seconds.
        budgets: by loss; a loss without one is not counted.
        max_emptied: members a group may lose when one request empties it; 0: any number.
        protected_groups: `displayName`s; every change that touches one waits.
        protected_users: `userName`s or addresses; likewise.
    """

    window_s: float
    budgets: Mapping[Loss, Budget]
    max_emptied: int = 0
    protected_groups: tuple[str, ...] = ()
    protected_users: tuple[str, ...] = ()


OPEN_DOOR: Final = GuardPolicy(3600.0, {})
"""A guard that stops nothing."""


def loss_of(key: int) -> Loss | None:
    """The budget that a destructive effect on `key` counts against, or None for none."""
    if key > 0:
        return Loss.REMOVALS
    return {Key.EXISTS: Loss.DELETIONS, Key.ACTIVE: Loss.DEACTIVATIONS}.get(Key(key))
