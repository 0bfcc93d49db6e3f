"""Answers on their way out: what clients have not taken yet, bounded as a whole (A9).

A page of groups with their rosters is 30 MB; a client that asks for many and reads none must not
fill the memory. Answers to writes are never held back: what they tell is done, and they are small.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from relay.errors import Unavailable
from relay.front.answers import Answer, of_outage
from relay.front.ports import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SMALL_BYTES: Final = 65_536
"""A look-up's answer is always sent: a thousand connections cannot hold more than 64 MB of them."""


class Unsent:
    """Counts the bytes of answers being sent.

    Args:
        most_bytes: of all together; one alone is always sent.
        on_refusal: told of each answer that is not sent.
    """

    def __init__(self, most_bytes: int, on_refusal: Callable[[str], None]) -> None:
        self._most_bytes = most_bytes
        self._on_refusal = on_refusal
        self._bytes = 0

    def admitted(self, answer: Answer) -> Answer:
        """The answer itself, or 503 while those that nobody takes fill the room."""
        size = len(answer.body)
        if not self._bytes or self._bytes + size <= self._most_bytes:
            return answer
        if size <= _SMALL_BYTES or answer.change is not None:
            return answer
        self._on_refusal(Refusal.BUSY)
        return of_outage(Unavailable("too many large answers are not taken yet", 1))

    @contextmanager
    def holding(self, answer: Answer) -> Iterator[None]:
        """While it is being sent."""
        self._bytes += len(answer.body)
        try:
            yield
        finally:
            self._bytes -= len(answer.body)
