"""Making a TFE that was wiped, restored or replaced match the directory: reading it, page by page.

While the hold `foreign` keeps everything from being sent, all that the TFE which answers now holds
is read, users before groups. What is there already is compared by name and adopted, its id bound
behind the ids that identity providers hold; what is not there is unlearnt, and the same lanes and
planner as ever create it once the hold is lifted. A pending deletion whose user or group is there
still is sent, the others are done. The position is a row: a rebuild that was interrupted goes on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

from relay.rules.types import Kind
from relay.store.compare import adopting, importing, reconciling
from relay.store.file.containing import contained
from relay.store.file.transaction import Transaction, from_json, to_json
from relay.store.state import lanes, rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relay.rules.shadow import TargetResource
    from relay.store.file.engine import Connection
    from relay.store.state.rows import ResourceRow

META_KEY: Final = "rebuild"
BATCH: Final = 20
"""Resources unlearnt in one transaction, so that accepting goes on between them."""

_BOUND: Final = "state IN ('live', 'deleted') AND c_exists = 1"


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Where a rebuild stands; a row, so that a restart goes on from here.

    Attributes:
        began: wall time.
        rebind: the reverse: the directory becomes what TFE has, pending changes apart.
        ordered: who ordered it, and why.
        done: everything was read and unlearnt, and all that follows from it was done (`end`).
        kind: what is read or unlearnt now.
        start: the 1-based `startIndex` of the next page; None: all were read, and what was not
            there is unlearnt.
        behind: the last row that was unlearnt of this kind.
        adopted: resources that were there already.
        missing: resources that were not, and are created again or are gone as they were to be.
        strangers: what is there and nobody here knew; it is left alone, or taken in to rebind.
    """

    began: float
    ordered: str
    rebind: bool = False
    done: bool = False
    kind: Kind = Kind.USER
    start: int | None = 1
    behind: int = 0
    adopted: int = 0
    missing: int = 0
    strangers: int = 0


def under_way(connection: Connection) -> bool:
    """Whether a request may still be answered by the TFE that is to be unlearnt."""
    row = connection.execute("SELECT 1 FROM attempt WHERE verdict IS NULL LIMIT 1").fetchone()
    return row is not None


def left(connection: Connection) -> dict[str, int]:
    """What the TFE that is gone had confirmed, by kind."""
    return dict(
        connection.execute(f"SELECT kind, count(*) FROM resource WHERE {_BOUND} GROUP BY kind")
    )


def read(connection: Connection) -> Rebuild | None:
    """The last rebuild, or the one under way; None before the first."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (META_KEY,)).fetchone()
    if row is None:
        return None
    stored = from_json(row[0])
    return Rebuild(**{**stored, "kind": Kind(stored["kind"])})


def begin(tx: Transaction, ordered: str, *, rebind: bool) -> Rebuild:
    """Begin one; what the last comparison found is forgotten.

    What TFE told of so far is marked by the time 0: no clock decides what is of which TFE.
    """
    tx.run(f"UPDATE resource SET c_at = 0 WHERE {_BOUND}")
    tx.run("DELETE FROM drift")
    tx.audit("rebind" if rebind else "rebuild", ordered, what=dict(left(tx.connection)))
    return _save(tx, Rebuild(tx.now, ordered, rebind))


def _save(tx: Transaction, at: Rebuild) -> Rebuild:
    tx.run(
        "INSERT INTO meta (key, value) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (META_KEY, to_json(asdict(at))),
    )
    return at


def take_page(
    tx: Transaction, at: Rebuild, resources: Sequence[TargetResource], total: int
) -> Rebuild:
    """Adopt what a page of TFE's shows, and move on; the new state."""
    assert at.start is not None
    adopted = strangers = 0
    for found in resources:
        with contained(tx, "rebuild"):
            taken = _adopt(tx, at, found)
            adopted += taken
            strangers += not taken
    start = at.start + len(resources)
    more = bool(resources) and start <= total
    return _save(
        tx,
        replace(
            at,
            start=start if more else None,
            adopted=at.adopted + adopted,
            strangers=at.strangers + strangers,
        ),
    )


def _adopt(tx: Transaction, at: Rebuild, found: TargetResource) -> bool:
    """Bind one resource of TFE's to ours, if it is one; False: nobody here knew it."""
    known = _ours(tx, at, found)
    if known is not None:
        _forget_doubt(tx, known.id)
        if adopting.confirm(tx, known.id, found):
            return True
    if at.rebind and known is None:
        importing.take(tx, at.kind, found, at.began)
    else:
        reconciling.note_stranger(tx, at.kind, found)
    return False


def _ours(tx: Transaction, at: Rebuild, found: TargetResource) -> ResourceRow | None:
    """Whose it is: by an id that TFE once gave it, else by the name it had in TFE, else has here.

    Each of ours is bound once.
    """
    known = rows.by_id(tx, at.kind, found.id)
    if known is not None:
        usable = known.state in (rows.LIVE, rows.DELETED)
        return known if usable and not _taken(tx, known, found.id) else None
    row = tx.value(
        "SELECT id FROM resource WHERE kind = ?1 AND state IN ('live', 'deleted')"
        " AND ((c_exists = 1 AND c_name_key = ?2 AND c_at = 0)"
        " OR (c_exists = 0 AND name_key = ?2))"
        " ORDER BY c_exists DESC, state = 'live' DESC, id DESC LIMIT 1",
        (at.kind.value, found.fields.name.casefold()),
    )
    return None if row is None else rows.by_row(tx, row)


def _taken(tx: Transaction, known: ResourceRow, target_id: str) -> bool:
    """Whether this rebuild has bound it to another id already."""
    told_at = tx.value("SELECT c_at FROM resource WHERE id = ?", (known.id,))
    return bool(known.c_exists and known.target_id != target_id and told_at)


def unlearn(tx: Transaction, at: Rebuild) -> Rebuild:
    """Unlearn the next batch of what was not there; groups are read once no user is left.

    That it is done is kept by `end` only: a death before it must not leave what follows undone.
    """
    batch = tx.all(
        f"SELECT id FROM resource WHERE kind = ? AND {_BOUND} AND c_at = 0 AND id > ?"
        " ORDER BY id LIMIT ?",
        (at.kind.value, at.behind, BATCH),
    )
    for (row,) in batch:
        _forget_doubt(tx, row)
        adopting.absent(tx, row)
        lanes.renew(tx, rows.by_row(tx, row))
    if batch:
        return _save(tx, replace(at, missing=at.missing + len(batch), behind=batch[-1][0]))
    if at.kind is Kind.USER:
        return _save(tx, replace(at, kind=Kind.GROUP, start=1, behind=0))
    return replace(at, done=True)


def end(tx: Transaction, at: Rebuild) -> None:
    """Keep that a rebuild is done, when nothing but its hold is left."""
    _save(tx, at)


def have_groups_wait(tx: Transaction, rate: float) -> None:
    """Send no group before its members are there: each is then one request, not many (A3).

    Users are created at `rate` a second at most, so so long a group's patience does not run out.
    """
    users = tx.value("SELECT count(*) FROM resource WHERE state = 'live' AND c_exists = 0")
    tx.run(
        "UPDATE lane SET since = max(since, ?) WHERE resource IN"
        " (SELECT resource FROM effect WHERE state = 'waiting')",
        (tx.now + users / rate,),
    )
    for (row,) in tx.all("SELECT DISTINCT resource FROM effect WHERE state = 'waiting'"):
        lanes.refresh(tx, rows.by_row(tx, row))


def _forget_doubt(tx: Transaction, row: int) -> None:
    """What an older TFE answered, or left unanswered, says nothing of this one."""
    tx.run("UPDATE lane SET ask = NULL, doubt = NULL WHERE resource = ?", (row,))
    tx.run("DELETE FROM verification WHERE resource = ?", (row,))
