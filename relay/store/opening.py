"""How the store is opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from relay.rules.guard import OPEN_DOOR
from relay.store.file.engine import USUAL, Bounds

if TYPE_CHECKING:
    from pathlib import Path

    from relay.rules.guard import GuardPolicy
    from relay.store.edits.incoming import AcceptRules


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How the store is opened.

    Attributes:
        path: the database file.
        rules: what accepting depends on.
        synchronous: `FULL`; less is a negative control of the proofs.
        min_free_bytes: below this much free space writes of IdPs are answered 503, so that
            delivery can still record its results (A7).
        bounds: of memory and disk.
        overflow: groups larger than TFE takes are held there in parts.
        names: the audit log may name persons and carry TFE's words.
        guard: how much an IdP may take away before an operator is asked.
    """

    path: Path
    rules: AcceptRules
    synchronous: str = "FULL"
    min_free_bytes: int = 64_000_000
    bounds: Bounds = USUAL
    guard: GuardPolicy = OPEN_DOOR
    overflow: bool = False
    names: bool = True

    @property
    def seats(self) -> int | None:
        """Members in one part of a group; None where groups do not overflow."""
        return self.rules.profile.max_members if self.overflow else None
