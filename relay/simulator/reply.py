"""An answer on its way to a transport, and what becomes of the connection it leaves on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto


class Ending(Enum):
    """What becomes of the connection."""

    WHOLE = auto()  # the answer is sent as it is
    RESET = auto()  # no byte of it is sent, the connection is reset
    CUT = auto()  # its head and half of its body are sent, then a reset


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer for a transport to send."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    ending: Ending = Ending.WHOLE
