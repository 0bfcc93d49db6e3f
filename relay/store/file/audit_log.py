"""The audit log's rows: each is chained to the one before it, and none is altered afterwards.

In charge of appending, of chaining what an earlier release wrote, and of what may go: words that
may name a person (`detail`, `salt`) at any time, and whole entries from the beginning on once the
anchor says so. The triggers of `0008_chain` forbid everything else. One writer appends, so that no
two entries follow on the same one.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

import orjson

from relay.rules.chain import SALT_BYTES, Entry, Head, Kept, commit, link, micros

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from relay.store.file.engine import Connection

ANCHOR: Final = "audit anchor"
"""In `meta`: number and hash of the last entry that was pruned."""

COLUMNS: Final = "id, at, event, actor, change, resource, attempt, what, commitment"
"""What is hashed, in its order."""

_INSERT: Final = (
    f"INSERT INTO audit ({COLUMNS}, salt, detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_BATCH: Final = 1_000

TRIGGERS: Final = f"""
CREATE TRIGGER audit_kept BEFORE DELETE ON audit
  WHEN old.id > ifnull((SELECT json_extract(value, '$.number') FROM meta WHERE key = '{ANCHOR}'), 0)
  BEGIN SELECT RAISE(ABORT, 'cannot delete from audit: it is append-only'); END;
CREATE TRIGGER audit_unaltered BEFORE UPDATE ON audit
  WHEN old.hash IS NOT NULL AND NOT (
    new.id IS old.id AND new.at IS old.at AND new.event IS old.event AND new.actor IS old.actor
    AND new.change IS old.change AND new.resource IS old.resource AND new.attempt IS old.attempt
    AND new.what IS old.what AND new.commitment IS old.commitment AND new.hash IS old.hash
    AND (new.detail IS NULL OR new.detail IS old.detail)
    AND (new.salt IS NULL OR new.salt IS old.salt))
  BEGIN SELECT RAISE(ABORT, 'cannot alter audit: it is append-only'); END;
"""


def head(connection: Connection) -> Head:
    """The last entry that is chained, or what was pruned last."""
    row = connection.execute("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1").fetchone()
    if row is None:
        return anchor(connection)
    if row[1] is None:
        seal(connection)
        return head(connection)
    return Head(*row)


def tip(connection: Connection) -> Head:
    """The last entry that is chained, for those who only read."""
    row = connection.execute(
        "SELECT id, hash FROM audit WHERE hash IS NOT NULL ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return anchor(connection) if row is None else Head(*row)


def anchor(connection: Connection) -> Head:
    """What the first entry that is there follows on."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (ANCHOR,)).fetchone()
    if row is None:
        return Head()
    note = orjson.loads(row[0])
    return Head(note["number"], bytes.fromhex(note["hash"]))


def append(
    connection: Connection,
    before: Head,
    at: float,
    about: tuple[str, str, int | None, int | None, int | None, str | None],
    words: str | None = None,
) -> Head:
    """Write an entry that follows on `before`; the new head.

    Args:
        connection: the writer's.
        before: the head.
        at: seconds since the epoch.
        about: event, actor, change, resource, attempt and particulars as JSON, as in `Entry`.
        words: what may name somebody.
    """
    salt = secret = None
    if words is not None:
        salt = secrets.token_bytes(SALT_BYTES)
        secret = commit(salt, words)
    number = before.number + 1
    hashed = link(before.hash, Entry(number, micros(at), *about, secret))
    connection.execute(_INSERT, (number, at, *about, secret, salt, words, hashed))
    return Head(number, hashed)


def seal(connection: Connection) -> int:
    """Chain the entries at the end that an earlier release wrote; how many there were."""
    at, sealed = tip(connection), 0
    while rows := _unchained(connection, at.number):
        chained = []
        for row in rows:
            at, values = _sealed(at, row)
            chained.append(values)
        connection.executemany(
            "UPDATE audit SET salt = ?, commitment = ?, hash = ? WHERE id = ?", chained
        )
        sealed += len(rows)
    return sealed


def _unchained(connection: Connection, after: int) -> list[Any]:
    return connection.execute(
        f"SELECT {COLUMNS}, detail FROM audit WHERE id > ? ORDER BY id LIMIT {_BATCH}", (after,)
    ).fetchall()


def _sealed(before: Head, row: Sequence[Any]) -> tuple[Head, tuple[object, ...]]:
    number, at, event, actor, change, resource, attempt, what, _, words = row
    salt = None if words is None else secrets.token_bytes(SALT_BYTES)
    secret = None if salt is None else commit(salt, words)
    entry = Entry(number, micros(at), event, actor, change, resource, attempt, what, secret)
    hashed = link(before.hash, entry)
    return Head(number, hashed), (salt, secret, hashed, number)


def is_chained(connection: Connection) -> bool:
    """Whether this release, or one like it, was started on the database."""
    return "hash" in {row[1] for row in connection.execute("PRAGMA table_info(audit)")}


def missing(connection: Connection) -> list[tuple[int, int]]:
    """Spans of numbers that no entry has, from the anchor to the last entry."""
    at, spans = anchor(connection).number, []
    for (number,) in connection.execute("SELECT id FROM audit ORDER BY id"):
        if number > at + 1:
            spans.append((at + 1, number - 1))
        at = number
    return spans


def kept(rows: Iterable[Sequence[Any]]) -> Iterable[Kept]:
    """Rows of `COLUMNS`, hash, detail and salt as entries."""
    for number, at, event, actor, change, resource, attempt, what, secret, hashed, *words in rows:
        entry = Entry(number, micros(at), event, actor, change, resource, attempt, what, secret)
        yield Kept(entry, hashed, *words)


def walked(connection: Connection) -> Iterable[Kept]:
    """Every entry that is there, from the anchor on."""
    return kept(connection.execute(f"SELECT {COLUMNS}, hash, detail, salt FROM audit ORDER BY id"))
