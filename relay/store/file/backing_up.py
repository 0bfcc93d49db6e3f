"""A copy of the database while it is used, and what a copy is worth (L8)."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Final

from relay.errors import StoreRefused
from relay.rules.chain import Walk
from relay.store.file import audit_log, engine, half_copies, identity
from relay.store.file.engine import DatabaseError
from relay.store.file.identity import RESTORED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from relay.store.file.engine import Connection


STEP_PAGES: Final = 1_000
"""Copied between two looks at whether it is still wanted: some milliseconds."""

SYNCED_STEPS: Final = 16
"""After so many (64 MB) they are had on disk: neither a stop nor a commit waits for gigabytes."""


def _wanted() -> bool:
    return False


def copy(path: Path, to: Path, now: float, given_up: Callable[[], bool] = _wanted) -> int:
    """Copy `path` to a new file of mode 0600 that appears whole or not at all; its size in bytes.

    The copy is one commit's state. It carries a note, so that a relay that opens it begins in the
    hold `restored`.

    Args:
        path: the database.
        to: the new file.
        now: seconds since the epoch.
        given_up: asked while it is copied; True ends it.

    Raises:
        StoreRefused: the file is there already, cannot be written, or was given up.
    """
    if to.exists():
        raise StoreRefused(f"cannot write a backup to {to}: it is there already")
    part = half_copies.half_of(to)
    looked = _looking(to, given_up)
    try:
        half_copies.fresh(part)
        with _unmoving(path) as source, closing(engine.open_plain(part)) as made:
            source.backup(made, pages=STEP_PAGES, progress=looked)
            _sign(made, now)
        identity.sync(part)
        looked()
        part.rename(to)
        identity.sync(to.parent)
    except (OSError, DatabaseError) as error:
        half_copies.remove(part)
        raise StoreRefused(f"cannot write a backup to {to}: {error}") from error
    except StoreRefused:
        half_copies.remove(part)
        raise
    return to.stat().st_size


def _looking(to: Path, given_up: Callable[[], bool]) -> Callable[..., None]:
    """What is called after each step of a copy."""
    part, steps = half_copies.half_of(to), count(1)

    def looked(*_step: int) -> None:
        if given_up():
            raise StoreRefused(f"cannot write a backup to {to}: the relay stops; try again")
        if next(steps) % SYNCED_STEPS == 0:
            identity.sync(part)

    return looked


@contextmanager
def _unmoving(path: Path) -> Iterator[Connection]:
    """A reader that sees one commit's state: else each commit between two steps begins it anew."""
    with closing(engine.open_reader(path)) as source:
        source.execute("BEGIN")
        source.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
        yield source


def _sign(made: Connection, now: float) -> None:
    made.execute("PRAGMA journal_mode = DELETE")
    made.execute(half_copies.FORGET)
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
