"""The order to erase a person, and the look afterwards at what is left of them."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Final

import structlog

from relay.errors import RelayError
from relay.ops.errors import NotFound
from relay.telemetry import events

if TYPE_CHECKING:
    from pathlib import Path

    from relay.ops.control import Route
    from relay.rules.types import Json, JsonObject
    from relay.store import Store
    from relay.store.operate.mentioning import Person

log = structlog.get_logger(__name__)

ROOM: Final = 3
"""Times the size of the file that must be free: the new one, the log, and as much again."""


class Erasing:
    """Erases; one at a time, since the file is written anew each time.

    Args:
        store: whose file.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._one = asyncio.Lock()

    def routes(self) -> dict[str, Route]:
        """What the control socket answers."""
        return {"erase": self._erase}

    async def _erase(self, arguments: JsonObject, actor: str) -> Json:
        """Erase who is gone already.

        Raises:
            NotFound: nobody is known by that name.
            RelayError: they are not gone, the reason names them, or there is no room.
        """
        named, reason = str(arguments.get("user")), str(arguments.get("reason") or "").strip()
        async with self._one:
            person = await self._meant(named, reason)
            _refuse_without_room(self._store.path)
            done = await self._store.audit.erase(person, actor, reason)
            still = await self._store.audit.still(person)
        log.info(events.PERSON_ERASED, changes=done.changes, words=done.words, actor=actor)
        return {
            "changes": done.changes,
            "attempts": done.attempts,
            "words": done.words,
            "mentions": done.mentions,
            "still_mentioned": dict[str, "Json"](still),
            "copies": [str(one) for one in _copies(self._store.path)],
        }

    async def _meant(self, named: str, reason: str) -> Person:
        person = await self._store.audit.person(named)
        if person is None:
            raise NotFound("nobody is known by that id, userName or address")
        if person.pending is not None:
            raise RelayError(
                f"cannot erase them: {person.pending}; have the identity provider delete them, and"
                " settle what waits (`scim-relay changes list --resource`) first"
            )
        if not reason:
            raise RelayError("cannot do it without a reason: it is kept in the audit log")
        if person.any_mention.search(reason):
            raise RelayError("cannot keep a reason that names whom it erases; give a ticket number")
        return person


def _refuse_without_room(path: Path) -> None:
    size, free = path.stat().st_size, shutil.disk_usage(path.parent).free
    if free < ROOM * size:
        raise RelayError(
            f"cannot erase: the file is written anew, and {ROOM * size:,} bytes must be free for"
            f" that, not {free:,}; make room"
        )


def _copies(path: Path) -> list[Path]:
    """Copies that the relay itself made beside the database."""
    return sorted(path.parent.glob(f"{path.name}.before-*"))
