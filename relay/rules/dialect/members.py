"""Rosters: which users a request names, and the steps it makes of them.

Forms G1 to G25. Carries the rule that an emptying is only what says so itself: `Replace` with an
empty list or null (G11, G12), or a bare `remove members` (G9). A removal with a value array is a
removal of *these* members, and with an empty array of nobody (G5).
"""

from __future__ import annotations

from relay.errors import Refused
from relay.rules.types import Json, JsonObject, MemberEdit, MemberOp


class Roster:
    """The steps on a roster in order, neighbours of one kind merged (G4)."""

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps: list[tuple[MemberOp, dict[str, None]]] = []

    def step(self, op: MemberOp, ids: tuple[str, ...]) -> None:
        """One more step; naming nobody is none, unless the roster is replaced."""
        if op is MemberOp.REPLACE:
            self._steps = [(op, dict.fromkeys(ids))]
        elif ids and self._steps and self._steps[-1][0] is op:
            self._steps[-1][1].update(dict.fromkeys(ids))
        elif ids:
            self._steps.append((op, dict.fromkeys(ids)))

    def edits(self) -> tuple[MemberEdit, ...]:
        """The steps as values."""
        return tuple(MemberEdit(op, tuple(ids)) for op, ids in self._steps)


def member_ids(value: Json) -> tuple[str, ...]:
    """The ids that a member value names: a list, one object, one id, or `{"members": ...}` (G20).

    Raises:
        Refused: 400, an element has no id.
    """
    if isinstance(value, dict):
        nested = _nested(value)
        value = nested if nested is not None else [value]
    if value is None:
        return ()
    if not isinstance(value, list):
        value = [value]
    return tuple(map(_member_id, value))


def _nested(value: JsonObject) -> list[Json] | None:
    for key, item in value.items():
        if key.lower() == "members":
            return item if isinstance(item, list) else [] if item is None else [item]
    return None


def _member_id(element: Json) -> str:
    if isinstance(element, dict):
        found = element.get("value")
        if found is None:
            found = next((item for key, item in element.items() if key.lower() == "value"), None)
    else:
        found = element
    if isinstance(found, str) and found:
        return found
    raise Refused(
        400, "cannot read members: each needs a value with the id of a user", "invalidValue"
    )
