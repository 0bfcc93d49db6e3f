"""`salvage`: what can still be read of a damaged database goes into a new one (L4).

The damaged file is never written: a copy of it is read. Rows that stand on damaged pages are lost,
everything else is kept; the new file starts in the hold `restored`, in which TFE is read anew and
compared with it, so that what was lost is seen as a difference and nothing is sent unasked.
"""

from __future__ import annotations

import shutil
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import orjson
from sqlite_utils import Database

from relay.errors import StoreRefused
from relay.store.file import engine, half_copies, identity, mending
from relay.store.file.engine import DatabaseError
from relay.store.file.migrations import migrations
from relay.store.file.reading_damage import Damaged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from relay.store.file.engine import Connection, Row

MADE_ANEW: Final = frozenset({"ballast", "spent", "_sqlite_migrations", "counter"})
"""Tables that are not copied: they follow from the others, or from the release."""

JSON_COLUMNS: Final = {"resource": ("shadow",), "change": ("writes",), "effect": ("base", "reason")}
"""What must be JSON: a row in which it is not was damaged without SQLite's noticing."""


MOST_BYTES: Final = 64 * 1024**3
"""A length that a damaged header tells is not believed beyond this; the file is sparse."""


@dataclass(slots=True)
class Salvaged:
    """What became of each table.

    Attributes:
        rows: rows that were kept, by table.
        lost: what could not be read, in words.
        undecodable: rows that were kept although a part of them is garbage; each stops its own
            lane only (L5).
    """

    rows: dict[str, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    undecodable: list[str] = field(default_factory=list)


def salvage(path: Path, into: Path, now: float) -> Salvaged:
    """Write what can be read of `path` to a new file of mode 0600.

    Args:
        path: the damaged database; with its write-ahead log beside it, if there is one.
        into: must not be there yet.
        now: seconds since the epoch.

    Raises:
        StoreRefused: a relay has it open, `into` is there, or not even its schema can be read.
    """
    if into.exists():
        raise StoreRefused(f"cannot write {into}: it is there already")
    _refuse_in_use(path)
    identity.refuse_anothers_log(path)
    part = half_copies.half_of(into)
    found = Salvaged()
    try:
        with _folder_beside(into) as folder:
            copy = _copied(path, folder)
            half_copies.fresh(part)
            with closing(engine.open_plain(copy)) as old, closing(engine.open_plain(part)) as new:
                _transfer(old, new, found)
                mending.mend(new, f"salvaged from {path.name}", now)
        identity.sync(part)
        part.rename(into)
        identity.sync(into.parent)
    except (OSError, DatabaseError) as error:
        half_copies.remove(part)
        raise StoreRefused(f"cannot salvage {path}: {error}; a backup is all that helps") from error
    return found


def _refuse_in_use(path: Path) -> None:
    if not path.exists():
        raise StoreRefused(f"cannot salvage {path}: there is no such file")
    if path.with_name(path.name + ".lock").exists():
        lock = engine.FileLock(path)
        lock.acquire()
        lock.release()


@contextmanager
def _folder_beside(into: Path) -> Iterator[Path]:
    """For the copy that is read. A death leaves it, all persons in it: the next try begins anew."""
    folder = into.with_name(f".{into.name}.salvage")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _copied(path: Path, folder: Path) -> Path:
    copy = folder / path.name
    shutil.copyfile(path, copy)
    _lengthen(copy)
    log = path.with_name(path.name + "-wal")
    if log.exists():
        shutil.copyfile(log, copy.with_name(copy.name + "-wal"))
    return copy


def _lengthen(copy: Path) -> None:
    """Give a file that was cut off the length its header tells, or SQLite reads none of it.

    sqlite.org/fileformat.html, 1.3: the page size at offset 16, the number of pages at 28.
    """
    with copy.open("r+b") as file:
        header = file.read(100)
        page, pages = int.from_bytes(header[16:18]), int.from_bytes(header[28:32])
        size = (65_536 if page == 1 else page) * pages
        if copy.stat().st_size < size <= MOST_BYTES:
            file.truncate(size)


def _transfer(old: Connection, new: Connection, found: Salvaged) -> None:
    migrations.apply(Database(new))
    new.execute("PRAGMA synchronous = OFF")
    there = {name for (name,) in old.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if "resource" not in there:
        raise StoreRefused("cannot salvage it: it is no relay's database")
    reading = Damaged(old)
    new.execute("BEGIN")
    # Resources first: the tables without a rowid are read resource by resource.
    for table in sorted(_tables(new) & there - MADE_ANEW, key=lambda name: name != "resource"):
        columns = [name for name in _columns(new, table) if name in _columns(old, table)]
        _copy(new, table, columns, reading.rows(table, columns, _known(new)), found)
    new.execute("COMMIT")
    found.lost += reading.lost


def _tables(connection: Connection) -> set[str]:
    named = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    return {name for (name,) in connection.execute(named)}


def _columns(connection: Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def _known(new: Connection) -> list[int]:
    return [row for (row,) in new.execute("SELECT id FROM resource")]


def _copy(
    new: Connection, table: str, columns: list[str], rows: Iterable[Row], found: Salvaged
) -> None:
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    insert = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})"
    watched = [columns.index(one) for one in JSON_COLUMNS.get(table, ()) if one in columns]
    kept = 0
    for row in rows:
        try:
            fresh = new.execute(insert, row).rowcount
        except DatabaseError as error:
            found.lost.append(f"a row of {table}: {error}")
            continue
        kept += fresh
        if fresh and any(not _is_json(row[index]) for index in watched):
            found.undecodable.append(f"{table} {row[0]}")
    found.rows[table] = kept


def _is_json(text: object) -> bool:
    if text is None:
        return True
    try:
        orjson.loads(text)  # type: ignore[arg-type]  # what it cannot take is told apart below
    except (orjson.JSONDecodeError, TypeError):
        return False
    return True
