"""How a database of an earlier release becomes one of this release.

Additive for one minor release: the previous version opens the file and loses nothing. It cannot
know what is new, so the file tells it: the names in `PASSABLE` are kept in `meta`, and a release
that does not know one of them goes on all the same (`identity`). Any other is refused.
"""

from __future__ import annotations

import json
from functools import cache
from sqlite3 import complete_statement
from typing import TYPE_CHECKING, Final

from sqlite_utils import Database, Migrations

from relay.store.file.audit_log import TRIGGERS
from relay.store.file.schema import APPLICATION_ID, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

migrations = Migrations("scim-relay")

PASSABLE: Final = frozenset(
    {
        "0005_undo",
        "0006_accept_s",
        "0007_given_to",
        "0008_chain",
        "0009_reserved_name",
        "0010_why",
    }
)
"""What a release that does not know it may pass over: it reads none of it, what it writes is whole
without it, and this release makes up for the rest. To be thought through for each new one."""
PASSABLE_KEY: Final = "passable"


def statements(script: str) -> Iterator[str]:
    """Split a script: SQLite itself knows where a statement with a trigger's body ends."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if complete_statement(statement):
            yield statement
            statement = ""


@migrations(name="0001_first")
def first(db: Database) -> None:
    """The schema of 0.1."""
    for statement in statements(TABLES):
        db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")


@migrations(name="0002_drift")
def drift(db: Database) -> None:
    """What the last sweep found in TFE that it had not confirmed (`compare.reconciling`)."""
    db.execute(
        "CREATE TABLE drift (id INTEGER PRIMARY KEY, resource INTEGER NOT NULL, kind TEXT NOT NULL,"
        " name TEXT NOT NULL, name_key TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL,"
        " other_id TEXT, at REAL NOT NULL)"
    )
    db.execute("CREATE INDEX drift_resource ON drift (resource)")
    db.execute("CREATE INDEX drift_name ON drift (what, name_key)")


@migrations(name="0003_nest")
def nest(db: Database) -> None:
    """Groups in groups as the IdP wrote them, and who is a member through them only."""
    db.execute(
        "CREATE TABLE nest (parent INTEGER NOT NULL, child INTEGER NOT NULL,"
        " PRIMARY KEY (parent, child)) WITHOUT ROWID"
    )
    db.execute("CREATE INDEX nest_child ON nest (child)")
    db.execute("ALTER TABLE member ADD COLUMN via INTEGER NOT NULL DEFAULT 0")


@migrations(name="0004_parts")
def parts(db: Database) -> None:
    """Parts of groups that are larger than TFE takes, and which part has a member there."""
    db.execute("ALTER TABLE resource ADD COLUMN part_of INTEGER")
    db.execute("ALTER TABLE resource ADD COLUMN part_no INTEGER")
    db.execute("DROP INDEX resource_listed")
    db.execute(
        "CREATE INDEX resource_listed ON resource (kind, id)"
        " WHERE state = 'live' AND part_of IS NULL"
    )
    db.execute("CREATE INDEX resource_part ON resource (part_of) WHERE part_of IS NOT NULL")
    db.execute("ALTER TABLE member ADD COLUMN part INTEGER NOT NULL DEFAULT 0")
    db.execute(
        "CREATE INDEX resource_size ON resource (size)"
        " WHERE kind = 'Group' AND state = 'live' AND part_of IS NULL"
    )


@migrations(name="0005_undo")
def undo(db: Database) -> None:
    """What a client that waits for TFE's answer finds again if TFE refuses (semantics A2)."""
    db.execute("ALTER TABLE change ADD COLUMN undo TEXT")


@migrations(name="0006_accept_s")
def accept_s(db: Database) -> None:
    """Seconds from the head of a change's request until it was in the queue (store.finishing)."""
    db.execute("ALTER TABLE change ADD COLUMN accept_s REAL NOT NULL DEFAULT 0")


@migrations(name="0007_given_to")
def given_to(db: Database) -> None:
    """The connection that an operator gave a resource to; null: it is its creator's.

    A column beside `origin`, not a copy of it: what is there needs no rewriting, and what an
    earlier release creates in this file has its owner as well (decision 11).
    """
    db.execute("ALTER TABLE resource ADD COLUMN given_to TEXT")


@migrations(name="0008_chain")
def chain(db: Database) -> None:
    """Each entry of the audit log is chained to the one before it (relay.store.file.audit_log).

    Entries that are there are chained when the relay starts, as are those that an earlier release
    writes behind ours.
    """
    for column in ("attempt INTEGER", "what TEXT", "salt BLOB", "commitment BLOB", "hash BLOB"):
        db.execute(f"ALTER TABLE audit ADD COLUMN {column}")
    for statement in statements(TRIGGERS):
        db.execute(statement)


@migrations(name="0009_reserved_name")
def reserved_name(db: Database) -> None:
    """The name that a creation brings while the guard holds its rename (semantics S3)."""
    db.execute("ALTER TABLE resource ADD COLUMN reserved_name_key TEXT")
    db.execute(
        "CREATE INDEX resource_reserved ON resource (kind, reserved_name_key)"
        " WHERE reserved_name_key IS NOT NULL"
    )


@migrations(name="0010_why")
def why(db: Database) -> None:
    """Why the planner chose a request, kept beside it."""
    db.execute("ALTER TABLE attempt ADD COLUMN why TEXT")


@cache
def names() -> tuple[str, ...]:
    """What this release knows, in the order in which it is applied."""
    return tuple(migration.name for migration in migrations.pending(Database(memory=True)))


def bring_up(db: Database) -> None:
    """Apply what is missing, and note in the file what an earlier release may pass over.

    What a later release noted there stays: this one passed it over and may be passed over again.
    Where nothing is new nothing is written: the disk may be full.
    """
    migrations.apply(db)
    noted = passable(db)
    if not noted >= PASSABLE:
        db.execute(
            "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
            (PASSABLE_KEY, json.dumps(sorted(PASSABLE | noted))),
        )


def passable(db: Database) -> frozenset[str]:
    """The migrations that whoever wrote the file lets an earlier release pass over."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (PASSABLE_KEY,)).fetchone()
    return frozenset(json.loads(row[0])) if row else frozenset()
