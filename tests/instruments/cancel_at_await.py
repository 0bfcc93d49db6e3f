"""I3: a cancellation that comes at await N, for every N."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator


class CancelledAt:
    """Counts the awaits of the functions it is put around, and cancels at one of them.

    Attributes:
        done: the await was reached, and its task cancelled.
    """

    def __init__(self, number: int) -> None:
        self._left = number
        self.done = False

    def around(
        self, function: Callable[..., Awaitable[Any]]
    ) -> Callable[..., Coroutine[Any, Any, Any]]:
        """The same function, whose awaits are counted."""

        @functools.wraps(function)
        async def counted(*arguments: Any, **named: Any) -> Any:
            return await _Driven(function(*arguments, **named), self)

        return counted

    def reached(self) -> bool:
        """Whether this await is the one."""
        self._left -= 1
        self.done = self.done or self._left == 0
        return self._left == 0


class _Driven:
    def __init__(self, coroutine: Any, cancels: CancelledAt) -> None:
        self._coroutine = coroutine
        self._cancels = cancels

    def __await__(self) -> Generator[Any, Any, Any]:
        answer: Any = None
        error: BaseException | None = None
        while True:
            try:
                if error is None:
                    waits = self._coroutine.send(answer)
                else:
                    waits = self._coroutine.throw(error)
            except StopIteration as end:
                return end.value
            error = None
            if self._cancels.reached():
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                answer = yield waits
            except BaseException as thrown:  # noqa: BLE001 - handed on to the coroutine itself
                error = thrown
