"""`AuditLog`: the part of the store's door that the audit log is looked at and ends through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from relay.store.file import audit_log
from relay.store.operate import audit_pruning, audit_reading, erasing, mentioning, pruning

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from relay.rules.chain import Head
    from relay.rules.types import JsonObject
    from relay.store.file.engine import Connection
    from relay.store.file.transaction import Transaction
    from relay.store.operate.audit_reading import EntryFilter, EntryPage
    from relay.store.operate.erasing import Erased
    from relay.store.operate.mentioning import Person

    Write = Callable[[Callable[[Transaction], Any]], Awaitable[Any]]
    Ask = Callable[[Callable[[Connection], Any]], Awaitable[Any]]

T = TypeVar("T")


class AuditLog:
    """Each method is one transaction or one query.

    Args:
        write: runs a transaction.
        ask: runs a query at leisure: no identity provider waits behind it.
        alone: runs what cannot run inside a transaction.
    """

    def __init__(self, write: Write, ask: Ask, alone: Ask) -> None:
        self._write = write
        self._ask = ask
        self._alone = alone

    async def _wrote(self, operation: Callable[[Transaction], T]) -> T:
        result: T = await self._write(operation)
        return result

    async def _found(self, query: Callable[[Connection], T]) -> T:
        result: T = await self._ask(query)
        return result

    async def seal(self) -> int:
        """Chain what an earlier release wrote; how many entries."""
        return await self._wrote(lambda tx: audit_log.seal(tx.connection))

    async def head(self) -> Head:
        """The last entry's number and hash."""
        return await self._found(audit_log.tip)

    async def page(self, wanted: EntryFilter, after: int) -> EntryPage:
        """The next entries that a filter means."""
        return await self._found(lambda connection: audit_reading.page(connection, wanted, after))

    async def revocations(self, since: float) -> JsonObject:
        """What became of changes accepted since then that take access away, and how fast."""
        return await self._found(lambda connection: audit_reading.revocations(connection, since))

    async def person(self, named: str) -> Person | None:
        """Whom an id, a `userName` or an address means, and why they cannot be erased yet."""
        return await self._found(lambda connection: erasing.person(connection, named))

    async def erase(self, person: Person, actor: str, reason: str) -> Erased:
        """Take a person out of every table, then have nothing of them left in the file's bytes.

        Raises:
            Refused: something about them became pending meanwhile.
        """
        mentions = await self._found(lambda connection: mentioning.mentions(connection, person))
        erased = await self._wrote(lambda tx: erasing.erase(tx, person, mentions, actor, reason))
        await self.finish()
        return erased

    async def finish(self) -> None:
        """After an erasure, also one that a death interrupted: write the file anew.

        Everybody waits meanwhile.

        Raises:
            Unavailable: it is to be tried again.
        """
        if await self._found(erasing.is_owed):
            await self._alone(erasing.rewrite)

    async def still(self, person: Person) -> dict[str, int]:
        """Where a person is mentioned: rows by `table.column`."""
        return await self._found(lambda connection: mentioning.everywhere(connection, person))

    async def horizon(self, keep_s: float, note: str) -> float:
        """Wall time before which something may go, if it is kept for so long."""
        return await self._wrote(lambda tx: pruning.horizon(tx, keep_s, note, "audit"))

    async def prune(self, before: float) -> tuple[int, bool]:
        """Let the next batch of entries go; how many, and whether all that are old went."""
        return await self._wrote(lambda tx: audit_pruning.prune(tx, before))

    async def forget(self, before: float) -> tuple[int, bool]:
        """Forget the words of the next batch of entries; how many, and whether that is all."""
        return await self._wrote(lambda tx: audit_pruning.forget(tx, before))
