"""One transaction's view: prepared SQL, the time it happens at, and what to tell others after it.

Operations never see a cursor's life, never commit and never await; whatever must reach the rest of
the process leaves through the outbox, after the commit.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from relay.store.file import audit_log

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from relay.clock import Ids
    from relay.rules.chain import Head
    from relay.rules.types import JsonObject
    from relay.store.file.engine import Connection
    from relay.store.state.finishing import Finished, Owed, Sending
    from relay.store.state.holds import Hold, HoldName
    from relay.store.state.records import Settlement


@dataclass(slots=True)
class Outbox:
    """What the rest of the process learns once the transaction is on disk.

    Attributes:
        settled: changes whose waiting clients may be answered.
        work: lanes became ready, or a hold went.
        counted: `(metric, label)` pairs, counted after the commit.
        holds: which were raised or prolonged (as they stand now) or lifted (None), in order.
        full: nothing of it is on disk for want of room.
        trouble: why nothing of it is on disk, in SQLite's words, or None.
        finished: changes that ended.
        owed: revocations that TFE refused for the first time.
    """

    settled: list[tuple[int, Settlement]] = field(default_factory=list)
    work: bool = False
    counted: list[tuple[str, str]] = field(default_factory=list)
    holds: list[tuple[HoldName, Hold | None]] = field(default_factory=list)
    full: bool = False
    trouble: str | None = None
    finished: list[Finished] = field(default_factory=list)
    owed: list[Owed] = field(default_factory=list)

    def merge(self, other: Outbox) -> None:
        """Take over what another operation of the same transaction has to tell."""
        self.settled += other.settled
        self.work = self.work or other.work
        self.counted += other.counted
        self.holds += other.holds
        self.finished += other.finished
        self.owed += other.owed


class Transaction:
    """The writer connection inside an open transaction.

    Attributes:
        now: wall time in seconds since the epoch, one value for all rows of an operation.
        names: the audit log may name persons.
        attempt: the request to TFE whose result is being recorded.
        head: where the audit log's chain stands; None if it is to be looked up.
        outbox: what to tell others after the commit.
        sending: the attempt that this transaction settles, or None.
    """

    __slots__ = ("_connection", "_ids", "attempt", "head", "names", "now", "outbox", "sending")

    def __init__(
        self,
        connection: Connection,
        now: float,
        ids: Ids,
        *,
        names: bool = True,
        head: Head | None = None,
    ) -> None:
        self._connection = connection
        self._ids = ids
        self.now = now
        self.names = names
        self.head = head
        self.attempt: int | None = None
        self.outbox = Outbox()
        self.sending: Sending | None = None

    def new_id(self) -> str:
        """A fresh id for a resource."""
        return self._ids.new_id()

    @property
    def connection(self) -> Connection:
        """The connection, for queries shared with the reader."""
        return self._connection

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Run a part whose failure undoes itself alone, with all it has to tell."""
        whole, self.outbox = self.outbox, Outbox()
        head = self.head
        self._connection.execute("SAVEPOINT part")
        try:
            yield
        except Exception:
            if self._connection.in_transaction:  # else SQLite gave all of it up (full, I/O)
                self._connection.execute("ROLLBACK TO part")
                self._connection.execute("RELEASE part")
            self.outbox, self.head = whole, head
            raise
        self._connection.execute("RELEASE part")
        whole.merge(self.outbox)
        self.outbox = whole

    def run(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Execute a statement; the number of rows it changed."""
        return self._connection.execute(sql, parameters).rowcount

    def insert(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Execute an INSERT; the new row's id."""
        row = self._connection.execute(sql, parameters).lastrowid
        assert row is not None
        return row

    def each(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Execute one statement for many rows."""
        self._connection.executemany(sql, rows)

    def one(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """The first row as a tuple, or None."""
        return self._connection.execute(sql, parameters).fetchone()

    def all(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """All rows as tuples."""
        return self._connection.execute(sql, parameters).fetchall()

    def value(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """The first column of the first row, or None."""
        row = self._connection.execute(sql, parameters).fetchone()
        return None if row is None else row[0]

    def count(self, *names: str, by: int = 1) -> None:
        """Move counters of the conservation law, in the same transaction as their row."""
        marks = ",".join("?" * len(names))
        self.run(f"UPDATE counter SET value = value + ? WHERE name IN ({marks})", (by, *names))

    def audit(
        self,
        event: str,
        actor: str,
        *,
        change: int | None = None,
        resource: int | None = None,
        what: JsonObject | None = None,
        detail: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Append to the audit log: what was decided, by whom, about what, by which request.

        Args:
            event: what was decided.
            actor: a connection's name, `relay`, or an operator; an order comes as `WHO: WHY`.
            change: about which change.
            resource: about which user or group.
            what: particulars that name nobody; they are chained, and stay.
            detail: what may name somebody; not written if personal data is to be minimal.
            reason: an operator's own words; always written, and can be forgotten.
        """
        who, _, why = actor.partition(": ")
        words = [one for one in (detail if self.names else None, reason, why) if one]
        if self.head is None:
            self.head = audit_log.head(self._connection)
        told = None if what is None else to_json(what)
        about = (event, who, change, resource, self.attempt, told)
        self.head = audit_log.append(
            self._connection, self.head, self.now, about, ": ".join(words) or None
        )


def to_json(value: object) -> str:
    """Compact JSON text for a column."""
    return orjson.dumps(value).decode()


def from_json(text: str | None) -> Any:
    """A column's JSON, or None."""
    return None if text is None else orjson.loads(text)
