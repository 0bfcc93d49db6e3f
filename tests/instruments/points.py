"""I2's common part: the points of a process at which it can be killed, and dying at one of them.

A point is a statement of a connection that writes, a moment after a commit, a step of a copy, and
every thousandth instruction of a statement that takes long. `in_files` adds each operation on a
file, as Python announces it before it does it.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from support.world import Unmeasured

from relay.store.file import engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONNECT = engine.sqlite3.connect
INSTRUCTIONS = 5_000
"""Of SQLite's machine; between two points inside one statement."""
PAGES = 16
"""Copied between two points of a copy."""
FILED = ("open", "os.", "shutil.")
"""Announcements of operations on files."""


@dataclass(frozen=True)
class Request:
    """A request of the journal, in the form that the stand-in's client takes."""

    method: str
    path: str
    body: Any


class Points(Unmeasured):
    """Counts what is passed while it is `open`; kills at one of them."""

    def __init__(self, at: int | None, *, is_open: bool = True) -> None:
        self._at = at
        self.is_open = is_open
        self.passed = 0

    def point(self, _statement: str = "") -> None:
        if not self.is_open:
            return
        self.passed += 1
        if self.passed == self._at:
            os.kill(os.getpid(), signal.SIGKILL)

    def committed(self, operations: int, seconds: float, /) -> None:
        self.point()

    def in_files(self, folder: Path) -> None:
        """Announced operations on files in a folder are points, for as long as the process lives."""

        def heard(event: str, arguments: tuple[Any, ...]) -> None:
            if event.startswith(FILED) and any(str(folder) in str(one) for one in arguments[:2]):
                self.point(event)

        sys.addaudithook(heard)


@contextmanager
def watched(points: Points) -> Iterator[None]:
    """Every connection that is opened meanwhile and can write has its statements counted."""

    class Watched(engine.sqlite3.Connection):  # type: ignore[misc, name-defined]
        def backup(self, target: Any, *, progress: Any = None, **how: Any) -> None:
            def step(*at: int) -> None:
                points.point()
                if progress is not None:
                    progress(*at)

            super().backup(target, **{**how, "pages": PAGES, "progress": step})

    def connect(path: Any, *arguments: Any, **named: Any) -> Any:
        connection = CONNECT(path, *arguments, factory=Watched, **named)
        if "mode=ro" not in str(path):
            connection.set_trace_callback(points.point)
            connection.set_progress_handler(points.point, INSTRUCTIONS)
        return connection

    engine.sqlite3.connect = connect
    try:
        yield
    finally:
        engine.sqlite3.connect = CONNECT


def forked(play: Callable[[], None]) -> int:
    """Play in a process of its own, which never returns into its parent's code; its wait status."""
    child = os.fork()
    if child == 0:
        try:
            play()
        except BaseException:  # noqa: BLE001 - see above
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def died(status: int, where: str) -> bool:
    """Whether a process was killed at its point; False: it ended before."""
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0, f"the play failed at {where}"
        return False
    assert os.WTERMSIG(status) == signal.SIGKILL
    return True
