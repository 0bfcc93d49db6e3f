"""The last log lines, kept in memory for a support bundle; nothing is decided by them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import MutableMapping

KEPT: Final = 500
"""Lines: about 200 kB."""


class Recent:
    """A processor of structlog that remembers what it passes on."""

    def __init__(self, most: int = KEPT) -> None:
        self._lines: deque[dict[str, Any]] = deque(maxlen=most)

    def __call__(
        self, _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Keep a copy without the exception itself, which would hold on to every local of it."""
        self._lines.append({name: value for name, value in event.items() if name != "exc_info"})
        return event

    def lines(self) -> list[dict[str, Any]]:
        """The oldest first."""
        return list(self._lines)


RECENT: Final = Recent()
"""Of this process, as its logging is: empty unless `log.configure` was told to remember."""
