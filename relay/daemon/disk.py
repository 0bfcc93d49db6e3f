"""Watches the disk: writes are refused while results of what is under way still find room (A7)."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Final

from relay.errors import Unavailable

if TYPE_CHECKING:
    from relay.store import Store

WATCH_S: Final = 1.0


async def watch_disk(store: Store) -> None:
    """Close the directory to writes in time, and open it again (A7); until cancelled."""
    directory = store.directory
    while True:
        disk = await asyncio.to_thread(shutil.disk_usage, store.path.parent)
        free = disk.free >= store.min_free_bytes
        room = directory.closed is None or await _room(store)
        directory.full = not free or (directory.full and not room)
        await asyncio.sleep(WATCH_S)


async def _room(store: Store) -> bool:
    """Whether the file may grow again; a disk that takes nothing at all has none.

    What is written for it shows that the disk works again, where nobody else writes.
    """
    try:
        room = await store.room()
    except Unavailable:
        return False
    store.directory.works()
    return room
