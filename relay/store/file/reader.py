"""Where queries run: a thread that reads, or inline in simulation; and how trouble is told."""

from __future__ import annotations

import asyncio
import queue
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

from relay.errors import Unavailable
from relay.store.file.engine import Connection, DatabaseError, is_trouble

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

MAX_BATCH: Final = 500
"""Queries whose callers are woken together."""


class Reader:
    """The one thread that reads, on its own connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._jobs: queue.SimpleQueue[tuple[Callable[[Connection], Any], Any] | None]
        self._jobs = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="store-reader", daemon=True)

    def start(self) -> None:
        """Start the thread, from inside the event loop that its callers run in."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def submit(self, query: Callable[[Connection], T]) -> asyncio.Future[T]:
        """Run `query`; it must not write."""
        assert self._loop is not None
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put((query, future))
        return future

    def stop(self) -> None:
        """End the thread and close the connection."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            done: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
            while job is not None:
                done.append((job[1], *self._one(job[0])))
                if self._jobs.empty() or len(done) >= MAX_BATCH:
                    break
                job = self._jobs.get()
            assert self._loop is not None
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(_settle, done)
            if job is None:
                break
        self._connection.close()

    def _one(self, query: Callable[[Connection], Any]) -> tuple[Any, BaseException | None]:
        try:
            return query(self._connection), None
        except DatabaseError as error:
            return None, as_heard(error)
        except Exception as error:  # noqa: BLE001 - handed to the caller, who knows what it means
            return None, error


def _settle(done: list[tuple[asyncio.Future[Any], Any, BaseException | None]]) -> None:
    for future, result, error in done:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


def as_heard(error: Exception) -> Exception:
    """SQLite's failure as the caller hears it.

    Trouble of the disk: come back, nothing was half-written (A7, A10). Anything else is a fault of
    ours, and itself: no repetition cures it.
    """
    if not is_trouble(error):
        return error
    return Unavailable(f"the relay cannot use its disk now ({error})", retry_after_s=30)
