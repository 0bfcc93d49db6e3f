"""Where members of a group go that is larger than TFE takes: into parts `NAME`, `NAME (2)`, ...

A member stays where it is once placed, whatever becomes of the others: a TFE team is linked to one
part, and who is moved loses access for a moment. So a removal leaves a gap, and a gap is filled
first. The first part is the group itself.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Member = TypeVar("Member")

NEAR: Final = 0.9
"""A group that has this share of the members TFE takes is told of before it is full."""

FIRST: Final = 2
"""The number of the first part that is not the group itself."""


def part_name(name: str, number: int) -> str:
    """The name of a part in TFE: `part_name("All", 2)` is `All (2)`."""
    return f"{name} ({number})"


def near(most: int) -> int:
    """Members from which on a group is near the limit."""
    return math.ceil(most * NEAR)


def place(
    newcomers: Sequence[Member],
    rooms: Sequence[int],
    seats: Mapping[Member, int],
    most: int,
) -> list[list[Member]]:
    """Who of the newcomers goes to which part; there may be more parts than there were.

    Args:
        newcomers: to be placed, in order.
        rooms: for each part how many more it may have.
        seats: for those that TFE still has in a part that they were to leave, which one: they go
            back there if there is room, so that nothing has to be sent.
        most: members of a part.

    Returns:
        For each part, the old ones first, who is added to it.
    """
    left = list(rooms)
    placed: list[list[Member]] = [[] for _ in rooms]
    standing = []
    for one in newcomers:
        seat = seats.get(one)
        if seat is not None and left[seat] > 0:
            left[seat] -= 1
            placed[seat].append(one)
        else:
            standing.append(one)
    waiting = iter(standing)
    for part, room in enumerate(left):
        placed[part] += [one for _, one in zip(range(room), waiting, strict=False)]
    rest = list(waiting)
    placed += [rest[start : start + most] for start in range(0, len(rest), most)]
    return placed
