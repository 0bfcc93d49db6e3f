"""The order to copy the database while the relay runs."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from relay.errors import RelayError

if TYPE_CHECKING:
    from relay.ops.control import Route
    from relay.rules.types import Json, JsonObject
    from relay.store import Store


class Backup:
    """Answers `backup`.

    Args:
        store: what is copied.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stopping = threading.Event()

    def give_up(self) -> None:
        """The relay stops: who asked for a copy that is under way is told so at once."""
        self._stopping.set()

    def routes(self) -> dict[str, Route]:
        """What the control socket answers."""
        return {"backup": self._backup}

    async def _backup(self, arguments: JsonObject, _actor: str) -> Json:
        """Copy the database to a file on the daemon's machine."""
        to = Path(str(arguments.get("file")))
        if not to.is_absolute():
            raise RelayError("cannot back up to a path that is not absolute")
        return {"file": str(to), "bytes": await self._store.desk.backup(to, self._stopping.is_set)}
