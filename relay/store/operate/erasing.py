"""Erasing a person: from rows, from what others' rows say of them, and from the file's bytes.

Only who is gone can be erased: whom TFE has, or an identity provider may still change, would come
back with the next read. The chain of the audit log holds without the words (relay.rules.chain).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from relay.errors import Refused, Unavailable
from relay.rules.types import Kind
from relay.store.compare import importing, rebuilding
from relay.store.file.rewriting import write_anew
from relay.store.operate import mentioning
from relay.store.operate.mentioning import Person
from relay.store.state import rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relay.store.file.engine import Connection
    from relay.store.file.transaction import Transaction
    from relay.store.operate.mentioning import Mentions

OWED: Final = "rewrite owed"
"""In `meta` from an erasure until the file was written anew and its log emptied."""
WRITTEN: Final = "log"
"""Its value when only the log is left to be emptied."""


@dataclass(frozen=True, slots=True)
class Erased:
    """How much went."""

    changes: int
    attempts: int
    words: int
    mentions: int


_NAMED: Final = (
    "SELECT r.id, r.name_key FROM resource r WHERE r.kind = 'User' AND (r.name_key = ?2"
    " OR r.id IN (SELECT resource FROM alias WHERE id = ?1))"
)
_ADDRESSED: Final = (
    "SELECT r.id, r.name_key FROM resource r WHERE r.kind = 'User' AND r.email = ?1 COLLATE NOCASE"
)

_HERE: Final = (
    "SELECT 1 FROM resource WHERE kind = 'User' AND state <> 'gone' AND (name_key = ?2"
    " OR external_id = ?1 OR email = ?1 COLLATE NOCASE) LIMIT 1"
)

_PENDING: Final = {
    "a change of theirs is pending or parked": "SELECT 1 FROM change WHERE resource = ?"
    " AND state IN ('pending', 'parked')",
    "something of theirs is not settled with Terraform Enterprise": "SELECT 1 FROM effect"
    " WHERE resource = ?1 OR key = ?1",
    "a request about them is under way": "SELECT 1 FROM lane WHERE resource = ?",
    "Terraform Enterprise is still to be asked about them": "SELECT 1 FROM verification"
    " WHERE resource = ?",
    "they are named in guard.protected_users": "SELECT 1 FROM protected WHERE resource = ?",
}

_OWN: Final = (
    *("DELETE FROM member WHERE user_id = ?", "DELETE FROM alias WHERE resource = ?"),
    *("DELETE FROM revocation WHERE resource = ?1 OR key = ?1",),
    *("DELETE FROM rejected WHERE resource = ?1 OR key = ?1",),
    *("DELETE FROM drift WHERE resource = ?", "DELETE FROM resource WHERE id = ?"),
)


def person(connection: Connection, named: str) -> Person | None:
    """Whom an id, a `userName` or, where it is neither, an address means; None if nobody.

    Raises:
        Refused: several have this address, and nothing brings back whom nobody meant.
    """
    found = connection.execute(_NAMED, (named, named.casefold())).fetchall()
    if not found:
        found = connection.execute(_ADDRESSED, (named,)).fetchall()
    if not found:
        return None
    if len({name for _, name in found}) > 1:
        raise Refused(409, "cannot tell who is meant: several have this; give a userName or an id")
    each = [row for row, _ in found]
    known = {name for row in each for name in _names(connection, row) if name}
    names = {name for name in known if not _is_anothers(connection, name)}
    called = {name for row in each for name in _called(connection, row)}
    return Person(tuple(each), frozenset(names), frozenset(called), _pending(connection, each))


def _is_anothers(connection: Connection, name: str) -> bool:
    """Whether somebody who is here has this name now: what stands under it is about them."""
    return connection.execute(_HERE, (name, name.casefold())).fetchone() is not None


def _names(connection: Connection, row: int) -> Iterator[str]:
    """Everything by which somebody may be mentioned, former names included."""
    columns = (
        "public_id, target_id, name, c_name, sent_name, external_id, c_external_id, email, c_email,"
        " shadow"
    )
    *plain, shadow = connection.execute(
        f"SELECT {columns} FROM resource WHERE id = ?", (row,)
    ).fetchone()
    yield from plain
    yield from _addresses(orjson.loads(shadow))
    for (alias,) in connection.execute("SELECT id FROM alias WHERE resource = ?", (row,)):
        yield alias
    for (writes,) in connection.execute("SELECT writes FROM change WHERE resource = ?", (row,)):
        fields = orjson.loads(writes).get("f", {})
        yield from (fields.get(name) for name in ("name", "email", "external_id"))


def _called(connection: Connection, row: int) -> Iterator[str]:
    """What people call them; a first name alone is no mention."""
    found = connection.execute("SELECT shadow FROM resource WHERE id = ?", (row,)).fetchone()
    shadow = orjson.loads(found[0])
    name = shadow.get("name")
    texts = [shadow.get("displayName"), name.get("formatted") if isinstance(name, dict) else None]
    yield from (text for text in texts if isinstance(text, str) and " " in text)


def _addresses(shadow: dict[str, Any]) -> Iterator[str]:
    emails = shadow.get("emails")
    for one in emails if isinstance(emails, list) else []:
        if isinstance(one, dict) and isinstance(one.get("value"), str):
            yield one["value"]


def _pending(connection: Connection, each: list[int]) -> str | None:
    for row in each:
        (state,) = connection.execute("SELECT state FROM resource WHERE id = ?", (row,)).fetchone()
        if state != rows.GONE:
            return f"they are {'users here' if state == rows.LIVE else state}"
        for why, query in _PENDING.items():
            if connection.execute(f"{query} LIMIT 1", (row,)).fetchone():
                return why
    return None


def erase(tx: Transaction, whom: Person, mentioned: Mentions, actor: str, reason: str) -> Erased:
    """Take a person out of every table; the entry that says so does not name them.

    Raises:
        Refused: something about them became pending since they were looked up, or a rebuild reads
            all that TFE has.
    """
    if (rebuild := rebuilding.read(tx.connection)) is not None and not rebuild.done:
        raise Refused(409, "cannot erase them now: a rebuild is under way; try again after it")
    if why := _pending(tx.connection, list(whom.rows)):
        raise Refused(409, f"cannot erase them now: {why}")
    words = sum(_forget(tx, row) for row in whom.rows)
    words += sum(_forgotten(tx, "id = ?", number) for number in mentioned.words)
    changes = attempts = 0
    for row in whom.rows:
        attempts += tx.run("DELETE FROM attempt WHERE resource = ?", (row,))
        changes += tx.run("DELETE FROM change WHERE resource = ?", (row,))
        for statement in _OWN:
            tx.run(statement, (row,))
    told = mentioning.take_out(tx, whom, mentioned)
    tx.run("INSERT OR REPLACE INTO meta (key, value) VALUES (?, '1')", (OWED,))
    importing.note_erasure(tx)
    tx.audit("erased", actor, what={Kind.USER.value: list(whom.rows)}, reason=reason)
    return Erased(changes, attempts, words, told)


def _forget(tx: Transaction, row: int) -> int:
    """Forget the words of entries about a person, and about their changes."""
    about = "resource = ?1 OR change IN (SELECT id FROM change WHERE resource = ?1)"
    return _forgotten(tx, f"({about})", row)


def _forgotten(tx: Transaction, which: str, value: int) -> int:
    return tx.run(
        f"UPDATE audit SET detail = NULL, salt = NULL WHERE {which} AND detail IS NOT NULL",
        (value,),
    )


def rewrite(connection: Connection) -> None:
    """Write the file anew from what is in it, then empty the log into it.

    Once it is written anew, only the log is tried again: that makes nobody wait.

    Raises:
        Unavailable: somebody reads the log; it is to be tried again.
    """
    note = connection.execute("SELECT value FROM meta WHERE key = ?", (OWED,)).fetchone()
    if note is None:
        return  # somebody else's order came first
    if note[0] != WRITTEN:
        write_anew(connection)
        connection.execute("UPDATE meta SET value = ? WHERE key = ?", (WRITTEN, OWED))
    busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise Unavailable("somebody reads the database; it is tried again", retry_after_s=60)
    connection.execute("DELETE FROM meta WHERE key = ?", (OWED,))


def is_owed(connection: Connection) -> bool:
    """Whether somebody was erased and the file was not rewritten since."""
    return connection.execute("SELECT 1 FROM meta WHERE key = ?", (OWED,)).fetchone() is not None
