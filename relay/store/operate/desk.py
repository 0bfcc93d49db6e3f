"""`Desk`: what operators decide on held effects, single changes and drift; and their backups."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING

from relay.errors import StoreRefused
from relay.store.compare import drifting
from relay.store.file import backing_up, half_copies
from relay.store.groups import part_upkeep
from relay.store.operate import (
    backlog,
    dropping,
    explaining,
    giving,
    held,
    listing,
    releasing,
    retrying,
    shape,
    status,
    support,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from relay.clock import Clock
    from relay.rules.facts import Facts
    from relay.rules.types import Json, JsonObject, Kind
    from relay.store.compare.drifting import Drift
    from relay.store.file.engine import Connection
    from relay.store.file.executor import Writer
    from relay.store.file.reader import Reader
    from relay.store.file.transaction import Transaction
    from relay.store.opening import StoreSettings
    from relay.store.operate.giving import Estate, Given
    from relay.store.operate.held import Held, Selection
    from relay.store.operate.listing import ChangeFilter
    from relay.store.operate.status import PartOf

    Decide = Callable[[Transaction, list[Held], str, str], list[Held]]


class Desk:
    """Each method is one decision, audited with who took it.

    Args:
        writer: where transactions run.
        reader: where queries run.
        settings: of the store.
        clock: time.
    """

    def __init__(
        self, writer: Writer, reader: Reader, settings: StoreSettings, clock: Clock
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._settings = settings
        self._clock = clock

    async def held(self, selection: Selection) -> Sequence[Held]:
        """What the guard holds."""
        return await self._reader.submit(lambda connection: held.held(connection, selection))

    async def rejected(self) -> Sequence[JsonObject]:
        """Where TFE and an IdP differ because an operator rejected a change."""
        return await self._reader.submit(held.rejected)

    async def approve(self, selection: Selection, actor: str, reason: str) -> Sequence[Held]:
        """Let held effects go; those that were meant."""
        return await self._decided(releasing.approve, selection, actor, reason)

    async def reject(self, selection: Selection, actor: str, reason: str) -> Sequence[Held]:
        """Undo held effects; those that were meant."""
        return await self._decided(releasing.reject, selection, actor, reason)

    async def _decided(
        self, decide: Decide, selection: Selection, actor: str, reason: str
    ) -> Sequence[Held]:
        """Decide batch by batch on what is held now, and on nothing that comes to be held by it.

        After a crash what is left is still held, and is decided anew.
        """
        seen = await self.held(selection)
        found: list[Held] = []
        for batch in held.batches(seen):
            found += await self._writer.submit(partial(_decide, decide, batch, (actor, reason)))
        return found

    async def owned(self) -> dict[str, dict[str, int]]:
        """How many users and groups each connection owns."""
        return await self._reader.submit(giving.owned)

    async def transfer(self, estate: Estate, actor: str, reason: str) -> Sequence[Given]:
        """Give users and groups to another connection, batch by batch.

        After a crash what is left is the old owner's still, and is given by the same order; who is
        named one by one is given in one piece.

        Raises:
            Refused: somebody who is named is not there, or not the owner's.
        """
        only = await self._writer.submit(lambda tx: giving.named(tx, estate))
        found: list[Given] = []
        after = 0
        while batch := await self._writer.submit(
            lambda tx: giving.give(tx, estate, only, after, (actor, reason))  # noqa: B023
        ):
            found += batch
            after = batch[-1].row
        return found

    async def drifts(self) -> Sequence[Drift]:
        """Where TFE differs and no pending change says why; the first of them."""
        return await self._reader.submit(drifting.drifts)

    async def follow_target(self, actor: str) -> None:
        """Make the directory what TFE has, wherever no pending change says otherwise."""
        after: tuple[int, int] | None = drifting.START
        while after is not None:
            begin = after
            after = await self._writer.submit(lambda tx: drifting.follow(tx, begin, actor))  # noqa: B023

    async def shape(self) -> list[JsonObject]:
        """What waits, by kind, cause and age (`relay.store.operate.shape`)."""
        now = self._clock.wall()
        return await self._reader.submit(lambda connection: shape.shape(connection, now))

    async def facts(self, kind: Kind, named: str) -> Facts | None:
        """What explains the resource that an id or a name means; None: nobody knows it."""
        now = self._clock.wall()

        def read(connection: Connection) -> Facts | None:
            row = explaining.find(connection, kind, named)
            return None if row is None else explaining.facts(connection, row, now)

        return await self._reader.submit(read)

    async def troubles(self) -> tuple[list[Json], bytes]:
        """The last attempts that TFE did not take, and the seed of this database's pseudonyms."""
        return await self._reader.submit(
            lambda connection: (support.troubles(connection), support.seed(connection))
        )

    async def backlog(self) -> backlog.Backlog:
        """What waits, by kind; the cost grows with it."""
        return await self._reader.submit(backlog.backlog)

    async def parts(self) -> list[PartOf]:
        """Every part of every group that is larger than TFE takes."""
        return await self._reader.submit(status.parts)

    async def compact(self, group: str, actor: str, reason: str) -> list[str]:
        """Delete the empty parts of the group with this id or name; their names.

        Raises:
            Refused: 404, there is no such group.
        """
        return await self._writer.submit(lambda tx: part_upkeep.compact(tx, group, actor, reason))

    async def backup(self, to: Path, stopping: Callable[[], bool] = lambda: False) -> int:
        """Copy the database as it is now, while it is used; the copy's size in bytes.

        Args:
            to: the new file.
            stopping: asked from another thread while it is copied; True ends it.

        Raises:
            StoreRefused: it cannot be written there.
        """
        now, given_up = self._clock.wall(), threading.Event()
        await self._writer.submit(lambda tx: half_copies.begin(tx, to))
        try:
            size = await asyncio.to_thread(
                backing_up.copy,
                self._settings.path,
                to,
                now,
                lambda: given_up.is_set() or stopping(),
            )
        except StoreRefused:
            await self._writer.submit(lambda tx: half_copies.end(tx, to))
            raise
        finally:
            given_up.set()  # who waited for it has gone: a stop does not wait for the thread
        await self._writer.submit(lambda tx: half_copies.end(tx, to))
        return size

    async def numbers(self, wanted: ChangeFilter) -> Sequence[int]:
        """All changes that a filter means, oldest first."""
        return await self._reader.submit(lambda connection: listing.numbers(connection, wanted))

    async def retry(self, change: int, actor: str, reason: str) -> Sequence[int]:
        """Try a change again; the changes that are pending because of it.

        Raises:
            Refused: it cannot be.
        """
        profile = self._settings.rules.profile
        return await self._writer.submit(
            lambda tx: retrying.retry(tx, change, actor, reason, profile)
        )

    async def drop(self, change: int, actor: str, reason: str) -> None:
        """End a parked or pending change.

        Raises:
            Refused: it cannot be.
        """
        await self._writer.submit(lambda tx: dropping.drop(tx, change, actor, reason))


def _decide(decide: Decide, seen: list[Held], who: tuple[str, str], tx: Transaction) -> list[Held]:
    return decide(tx, seen, *who)
