"""One table of resources with its indexes: names without regard to case, external ids exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from relay.simulator.records import Group, User

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Row = TypeVar("Row", User, Group)


class Table(Generic[Row]):
    """Resources by id, in order of creation; each look-up costs the same however many there are."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows: dict[str, Row] = {}
        self._names: dict[str, dict[str, None]] = {}
        self._externals: dict[str, dict[str, None]] = {}
        for row in rows:
            self.put(row)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def __contains__(self, ident: object) -> bool:
        return ident in self._rows

    def get(self, ident: str) -> Row | None:
        """The resource with this id, or None."""
        return self._rows.get(ident)

    def named(self, name: str) -> list[Row]:
        """Resources with this name, capitals ignored."""
        return [self._rows[ident] for ident in self._names.get(name.casefold(), ())]

    def external(self, external_id: str) -> list[Row]:
        """Resources with exactly this external id; several are possible."""
        return [self._rows[ident] for ident in self._externals.get(external_id, ())]

    def put(self, row: Row) -> None:
        """Insert it, or replace the one with the same id in its place."""
        before = self._rows.get(row.stamp.id)
        if before is not None:
            self._unindex(before)
        self._rows[row.stamp.id] = row
        self._names.setdefault(row.name.casefold(), {})[row.stamp.id] = None
        if row.fields.external_id is not None:
            self._externals.setdefault(row.fields.external_id, {})[row.stamp.id] = None

    def drop(self, ident: str) -> None:
        """Take it out; `KeyError` if it is not there."""
        self._unindex(self._rows.pop(ident))

    def _unindex(self, row: Row) -> None:
        _discard(self._names, row.name.casefold(), row.stamp.id)
        if row.fields.external_id is not None:
            _discard(self._externals, row.fields.external_id, row.stamp.id)


def _discard(index: dict[str, dict[str, None]], key: str, ident: str) -> None:
    bucket = index[key]
    del bucket[ident]
    if not bucket:
        del index[key]
