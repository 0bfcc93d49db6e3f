"""Nothing that the guard once held leaves for TFE before the audit log has an operator's approval.

It is followed from claim to claim by what is desired, not by the effect's row: a deletion over it,
a merge or a drop may take the row away and bring another.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from relay.rules.effects import FIELD_OF, Key
from relay.store.deliver import claiming, returning
from relay.store.state import effects, rows
from relay.store.state.claims import Claim, Purpose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relay.store.deliver.claiming import Idle
    from relay.store.file.transaction import Transaction

Place = tuple[int, int]
"""A resource's row and a key of it."""


@dataclass(frozen=True)
class Seen:
    """What was held: the value that is desired, and the audit log's last row when it was seen."""

    value: Any
    since: int


class Unasked:
    """Looks after every step and at every claim; `found` is what left though nobody let it go."""

    def __init__(self) -> None:
        self._held: dict[Place, Seen] = {}
        self.found: list[Any] = []

    def look(self, tx: Transaction) -> None:
        """Forget what is decided or desired no more, and note what is held."""
        for place, seen in list(self._held.items()):
            if _wanted(tx, place) != seen.value or _approved(tx, place, seen.since):
                del self._held[place]
            elif place[1] == Key.EXISTS and rows.by_row(tx, place[0]).c_exists and seen.value[0]:
                # TFE has it after all: what is held of it now is each of its keys that differs.
                del self._held[place]
                self._note(tx, _unsettled(tx, place[0]), seen.since)
        self._note(tx, tx.all("SELECT resource, key FROM effect WHERE held_by NOTNULL"), None)

    def _note(self, tx: Transaction, places: list[Place], since: int | None) -> None:
        if since is None:
            since = tx.value("SELECT ifnull(max(id), 0) FROM audit")
        for place in places:
            if not _stands_beneath(tx, place):
                self._held.setdefault(place, Seen(_wanted(tx, place), since))

    def claimed(self, tx: Transaction, claim: Claim) -> None:
        """A request is about to be sent."""
        self.look(tx)
        if claim.purpose is not Purpose.WRITE:
            return
        members = [user for user, _ in claim.adds + claim.removes]
        for key in (*claim.keys, *members, Key.EXISTS):
            if (claim.resource, key) in self._held:
                self.found.append((claim.resource, int(key), claim.request, claim.why))


@contextmanager
def watching(unasked: Unasked) -> Iterator[None]:
    """Have it look at every claim, in the claim's own transaction."""
    claim = claiming.claim

    def watched(tx: Transaction, *about: Any, **more: Any) -> Claim | Idle:
        found = claim(tx, *about, **more)
        if isinstance(found, Claim):
            unasked.claimed(tx, found)
        return found

    with patch.object(claiming, "claim", watched):
        yield


def _wanted(tx: Transaction, place: Place) -> Any:
    resource = rows.by_row(tx, place[0])
    if place[1] == Key.EXISTS:
        return (resource.wanted, resource.state)
    return returning.desired_value(tx, resource, place[1])


def _stands_beneath(tx: Transaction, place: Place) -> bool:
    """Whether a change that nobody held wants the same value: a later one only repeats it."""
    effect = effects.find(tx, *place)
    if effect is None or place[1] >= Key.EXISTS:
        return False
    beneath = returning.beneath_held(tx, place[0], effect)
    field = FIELD_OF[Key(place[1])]
    return beneath is not None and beneath[1]["f"][field.value] == _wanted(tx, place)


def _approved(tx: Transaction, place: Place, since: int) -> bool:
    approved = (
        "SELECT 1 FROM audit WHERE event = 'approved' AND resource = ? AND id > ?"
        " AND json_extract(what, '$.key') = ?"
    )
    return tx.one(approved, (place[0], since, place[1])) is not None


def _unsettled(tx: Transaction, row: int) -> list[Place]:
    return [(row, effect.key) for effect in effects.unsettled(tx, row)]
