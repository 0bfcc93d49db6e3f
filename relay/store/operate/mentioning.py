"""Where a person is mentioned, by the names and ids that are known of them, in any text.

A mention is a whole word of it, in any letter case: `ada@x.org` is not mentioned by `bada@x.org`
nor by `ada@x.org.uk`.
What is shorter than a few letters is not looked for: it would be found everywhere.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from relay.store.file.engine import Connection
    from relay.store.file.transaction import Transaction

SHORTEST: Final = 4
"""Letters of a name or an id below which it is not looked for."""
GONE: Final = "(erased)"
"""What is written in a mention's place."""

FREE_TEXT: Final = {
    "change": ("id", ("detail",)),
    "attempt": ("id", ("path", "detail")),
    "effect": ("resource || ':' || key", ("reason",)),
    "hold": ("name", ("reason",)),
    "trip": ("connection", ("reason",)),
    "rejected": ("resource || ':' || key", ("reason",)),
    "drift": ("id", ("name", "name_key", "detail", "other_id")),
}
"""Other people's rows that may quote somebody: what tells a row, and the columns."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whom it is about.

    Attributes:
        rows: of `resource`; one for each time that they were created.
        names: ids, user names and addresses: nobody else's.
        called: names that somebody else may have, too.
        pending: why they cannot be erased yet, or None.
    """

    rows: tuple[int, ...]
    names: frozenset[str]
    called: frozenset[str] = frozenset()
    pending: str | None = None

    @property
    def mention(self) -> Mention:
        """Finds what can mean nobody else."""
        return Mention(self.names)

    @property
    def any_mention(self) -> Mention:
        """Finds what may mean them."""
        return Mention(self.names | self.called)


class Mention:
    """Finds any of some names in a text, as it is, as it stands in JSON, or in a path's filter.

    Most texts have none: plain look-ups tell so ten times as fast as the pattern does.
    """

    def __init__(self, names: Iterable[str]) -> None:
        each = {form for name in names if len(name) >= SHORTEST for form in _forms(name)}
        asked = {quote(form, safe="") for form in each}
        self._plain = {word.lower() for word in each | asked}
        self.fragments = sorted({_plainest(word) for word in self._plain})
        """Of each word the part that SQLite's `lower` knows; it is in every mention."""
        self._pattern = re.compile(
            rf"(?<![\w@.+-])(?:{_any_of(each)})(?![\w@+-]|\.\w)|(?<=%22)(?:{_any_of(asked)})(?=%22)",
            re.IGNORECASE,
        )

    def search(self, text: str) -> bool:
        """Whether one of them is in it, as a whole word."""
        lower = text.lower()
        if not any(word in lower for word in self._plain):
            return False
        return self._pattern.search(text) is not None

    def without(self, text: str) -> str:
        """The text with `(erased)` in their place."""
        return str(self._pattern.sub(GONE, text))


def _any_of(words: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True)) or r"(?!)"


def _plainest(word: str) -> str:
    parts: list[str] = re.findall(r"[\x20-\x7e]*", word)
    return max(parts, key=len)


def _forms(name: str) -> tuple[str, ...]:
    return name, orjson.dumps(name).decode()[1:-1]


@dataclass(frozen=True, slots=True)
class Mentions:
    """What other rows say of a person.

    Attributes:
        words: entries of the audit log.
        texts: `(table, column, what tells the row)`.
        shadows: users of whom the person is the manager.
    """

    words: list[int]
    texts: list[tuple[str, str, Any]]
    shadows: list[int]


def mentions(connection: Connection, person: Person) -> Mentions:
    """Every mention of a person that is to go: where it is, not what else is there."""
    pattern = person.any_mention
    words = [number for number, _ in _with(connection, pattern, "audit", "id", "detail")]
    texts = [
        (table, column, row)
        for table, (key, columns) in FREE_TEXT.items()
        for column in columns
        for row, _ in _with(connection, pattern, table, key, column)
    ]
    return Mentions(words, texts, list(_managed(connection, person.mention)))


def take_out(tx: Transaction, person: Person, mentioned: Mentions) -> int:
    """Take mentions out of other people's rows as they are now; how many.

    They were found some time ago, outside of the transaction: what was written since stays.
    """
    told, pattern, certain = 0, person.any_mention, person.mention
    for table, column, row in mentioned.texts:
        here = f"{FREE_TEXT[table][0]} = ?"
        text = tx.value(f"SELECT {column} FROM {table} WHERE {here}", (row,))
        if isinstance(text, str):
            told += tx.run(
                f"UPDATE {table} SET {column} = ? WHERE {here}", (pattern.without(text), row)
            )
    for row in mentioned.shadows:
        shadow = tx.value("SELECT shadow FROM resource WHERE id = ?", (row,))
        if shadow is not None:
            without = orjson.dumps(_without_manager(orjson.loads(shadow), certain)).decode()
            told += tx.run("UPDATE resource SET shadow = ? WHERE id = ?", (without, row))
    return told


def _with(
    connection: Connection, pattern: Mention, table: str, key: str, column: str
) -> Iterator[tuple[Any, str]]:
    any_of = " OR ".join(f"instr(lower({column}), ?)" for _ in pattern.fragments) or "0"
    found = connection.execute(
        f"SELECT {key}, {column} FROM {table} WHERE {any_of}", tuple(pattern.fragments)
    )
    return ((row, text) for row, text in found if pattern.search(str(text)))


def _managed(connection: Connection, pattern: Mention) -> Iterator[int]:
    found = connection.execute("SELECT id, shadow FROM resource WHERE shadow LIKE '%manager%'")
    for row, text in found:
        shadow = orjson.loads(text)
        if _without_manager(shadow, pattern) != shadow:
            yield row


def _without_manager(value: Any, pattern: Mention) -> Any:
    """A shadow without the managers that mention the person."""
    if not isinstance(value, dict):
        return value
    return {
        key: _without_manager(inner, pattern)
        for key, inner in value.items()
        if key.casefold() != "manager" or not pattern.search(orjson.dumps(inner).decode())
    }


def everywhere(connection: Connection, person: Person) -> dict[str, int]:
    """In how many rows of which column a person is mentioned, whatever the table."""
    pattern, found = person.mention, Counter[str]()
    for table, columns in _tables(connection):
        whole = " || char(10) || ".join(f"ifnull(\"{column}\", '')" for column in columns)
        any_of = " OR ".join(f"instr(lower({whole}), ?)" for _ in pattern.fragments) or "0"
        read = ", ".join(f'"{column}"' for column in columns)
        for row in connection.execute(
            f'SELECT {read} FROM "{table}" WHERE {any_of}', tuple(pattern.fragments)
        ):
            found.update(
                f"{table}.{column}"
                for column, value in zip(columns, row, strict=True)
                if isinstance(value, str) and pattern.search(value)
            )
    return dict(found)


def _tables(connection: Connection) -> Iterator[tuple[str, list[str]]]:
    """Every table of the file that has text, with its columns of text."""
    named = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    for (table,) in connection.execute(named).fetchall():
        told = connection.execute(f'PRAGMA table_info("{table}")').fetchall()
        if columns := [name for _, name, kind, *_ in told if kind.upper() in {"TEXT", ""}]:
            yield table, columns
