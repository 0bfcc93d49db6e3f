"""Reading the rows of a damaged database around what cannot be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.store.file.engine import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from relay.store.file.engine import Connection, Row

LEADS: Final = {
    "member": "group_id",
    "effect": "resource",
    "revocation": "resource",
    "rejected": "resource",
    "nest": "parent",
    "alias": "resource",
}
"""Tables without a rowid, and the column by which they are read where reading on fails."""

MOST_TRIES: Final = 200_000
"""Looks at one table's damage: a page that leads to many others is not searched for ever."""


class Damaged:
    """One damaged database.

    Attributes:
        lost: what could not be read, in words.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tries = 0
        self.lost: list[str] = []

    def rows(self, table: str, columns: Sequence[str], resources: Sequence[int]) -> Iterator[Row]:
        """Every row of a table that can be read, some of them twice.

        Args:
            table: of the relay's.
            columns: which.
            resources: the rows of `resource` that are known.
        """
        select = f"SELECT {', '.join(columns)} FROM {table} NOT INDEXED"
        self._tries = 0
        whole, error = self._read(select)
        yield from whole
        if error is None:
            return
        if table in LEADS:
            yield from self._by_lead(table, select, resources)
        elif self._has_rowid(table):
            yield from self._by_rowid(table, select)
        else:
            self.lost.append(f"rows of {table}: {error}")

    def _read(self, select: str, *values: object) -> tuple[list[Row], str | None]:
        """The rows up to the damage, and the damage."""
        self._tries += 1
        found: list[Row] = []
        try:
            found.extend(self._connection.execute(select, values))
        except DatabaseError as error:
            return found, str(error)
        return found, None

    def _has_rowid(self, table: str) -> bool:
        try:
            self._connection.execute(f"SELECT rowid FROM {table} LIMIT 0")
        except DatabaseError:
            return False
        return True

    def _by_lead(self, table: str, select: str, resources: Sequence[int]) -> Iterator[Row]:
        select = select.replace(" NOT INDEXED", "")
        for resource in resources:
            for order in ("ASC", "DESC"):
                ordered = f"{select} WHERE {LEADS[table]} = ? ORDER BY 1 {order}, 2 {order}"
                found, error = self._read(ordered, resource)
                yield from found
                if error is None:
                    break
            else:
                self.lost.append(f"{table} of resource {resource}: {error}")

    def _by_rowid(self, table: str, select: str) -> Iterator[Row]:
        """Halve the range of rowids until what is damaged stands alone."""
        ranges = [(1, self._last(table))]
        missing: list[tuple[int, int]] = []
        while ranges:
            low, high = ranges.pop()
            found, error = self._read(f"{select} WHERE rowid BETWEEN ? AND ?", low, high)
            yield from found
            if error is None:
                continue
            if low == high or self._tries > MOST_TRIES:
                missing.append((low, high))
                continue
            middle = (low + high) // 2
            ranges += [(middle + 1, high), (low, middle)]
        self.lost += [f"{table} {low} to {high}" for low, high in _joined(missing)]

    def _last(self, table: str) -> int:
        """A rowid that none is above."""
        for query, values in (
            (f"SELECT max(rowid) FROM {table} NOT INDEXED", ()),
            ("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)),
        ):
            found, error = self._read(query, *values)
            if error is None and found and isinstance(found[0][0], int):
                return found[0][0]
        return 1 << 24


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return joined
