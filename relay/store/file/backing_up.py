"""A copy of the database while it is used, and what a copy is worth (L8)."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from relay.errors import StoreRefused
from relay.rules.chain import Walk
from relay.store.file import audit_log, engine, identity
from relay.store.file.engine import DatabaseError
from relay.store.file.identity import RESTORED

if TYPE_CHECKING:
    from pathlib import Path

    from relay.store.file.engine import Connection


def copy(path: Path, to: Path, now: float) -> int:
    """Copy `path` to a new file of mode 0600 that appears whole or not at all; its size in bytes.

    The copy is one commit's state. It carries a note, so that a relay that opens it begins in the
    hold `restored`.

    Raises:
        StoreRefused: the file is there already, or cannot be written.
    """
    if to.exists():
        raise StoreRefused(f"cannot write a backup to {to}: it is there already")
    part = to.with_name(to.name + ".part")
    try:
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600))
        with closing(engine.open_reader(path)) as source, closing(engine.open_plain(part)) as made:
            source.backup(made)
            _sign(made, now)
        identity.sync(part)
        part.rename(to)
        identity.sync(to.parent)
    except (OSError, DatabaseError) as error:
        part.unlink(missing_ok=True)
        raise StoreRefused(f"cannot write a backup to {to}: {error}") from error
    return to.stat().st_size


def _sign(made: Connection, now: float) -> None:
    made.execute("PRAGMA journal_mode = DELETE")
    at = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    made.execute(
        "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (RESTORED, f"a backup of {at}")
    )


@dataclass(frozen=True, slots=True)
class Verified:
    """What a file is worth.

    Attributes:
        problems: why it could not be used; empty if it could.
        counters: changes by state, accepted included.
        users: live users.
        groups: live groups.
    """

    problems: tuple[str, ...]
    counters: dict[str, int]
    users: int = 0
    groups: int = 0


def _unchained(connection: Connection) -> list[str]:
    """Where the audit log is not as it was written."""
    if not audit_log.is_chained(connection):
        return []  # an earlier release wrote it
    walk = Walk(audit_log.anchor(connection))
    for kept in audit_log.walked(connection):
        if not walk.step(kept):
            break
    return [] if walk.broken is None else ["audit log, entry {}: {}".format(*walk.broken)]


def verify(path: Path) -> Verified:
    """Read every page of a database that no relay has open; check conservation and the chain."""
    try:
        identity.refuse_anothers_log(path)
        with closing(engine.open_reader(path)) as connection:
            identity.recognise(connection, path)
            found = connection.execute("PRAGMA integrity_check(20)").fetchall()
            problems = [text for (text,) in found if text != "ok"]
            counters = dict(connection.execute("SELECT name, value FROM counter").fetchall())
            live = "SELECT count(*) FROM resource WHERE state = 'live' AND kind = "
            users = connection.execute(live + "'User'").fetchone()[0]
            groups = connection.execute(live + "'Group'").fetchone()[0]
            problems += _unchained(connection)
    except (OSError, StoreRefused, DatabaseError) as error:
        return Verified((str(error),), {})
    ends = ("pending", "delivered", "refused", "parked", "dropped")
    if counters.get("accepted") != sum(counters.get(end, 0) for end in ends):
        problems.append(f"accepted changes are not the sum of the others: {counters}")
    return Verified(tuple(problems), counters, users, groups)
