"""Filling the directory from an existing TFE: pages in, resources under TFE's own ids (K6).

An import never touches what was attempted or confirmed since its page's request began, and repeats
until a whole pass finds nothing new, since a list that changes while it is read can skip entries.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

from relay.rules.types import Field, Kind
from relay.store.compare import adopting
from relay.store.file.containing import contained
from relay.store.file.transaction import Transaction, from_json, to_json
from relay.store.state import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relay.rules.shadow import TargetResource

META_KEY: Final = "import"
_ERASED: Final = "erased at"
"""In `meta`: wall time of the last erasure."""


@dataclass(frozen=True, slots=True)
class ImportState:
    """Where the import stands; a row, so that a restart goes on from here.

    Attributes:
        done: a whole pass found nothing new.
        kind: what the next page is of.
        start: its 1-based `startIndex`.
        fresh: resources that this pass found new, or that moved its totals.
        seen: resources read in all passes, for progress.
        total: the last `totalResults` of this kind; None before the first page.
        passes: whole passes made.
    """

    done: bool = False
    kind: Kind = Kind.USER
    start: int = 1
    fresh: int = 0
    seen: int = 0
    total: int | None = None
    passes: int = 0


def state(tx: Transaction) -> ImportState:
    """The import's state; a fresh one in a new database."""
    stored = from_json(tx.value("SELECT value FROM meta WHERE key = ?", (META_KEY,)))
    if not stored:
        return ImportState()
    return ImportState(**{**stored, "kind": Kind(stored["kind"])})


def begin_anew(tx: Transaction) -> None:
    """Read everything again, as at the first start; what is known stays."""
    tx.run("DELETE FROM meta WHERE key = ?", (META_KEY,))


def _save(tx: Transaction, new: ImportState) -> ImportState:
    tx.run(
        "INSERT INTO meta (key, value) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (META_KEY, to_json(asdict(new))),
    )
    return new


def take_page(
    tx: Transaction,
    at: ImportState,
    resources: Sequence[TargetResource],
    total: int,
    began: float,
) -> ImportState:
    """Take one page in and move on; the new state.

    Args:
        tx: the transaction.
        at: the state whose page this is.
        resources: the page.
        total: the list's `totalResults` as this page said.
        began: wall time at which its request began.
    """
    fresh = 0
    for resource in resources:
        with contained(tx, "import"):
            fresh += take(tx, at.kind, resource, began)
    moved = at.total is not None and at.total != total
    now = replace(
        at,
        fresh=at.fresh + fresh + moved,
        seen=at.seen + len(resources),
        total=total,
        start=at.start + len(resources),
    )
    if resources and now.start <= total:
        return _save(tx, now)
    if at.kind is Kind.USER:
        return _save(tx, replace(now, kind=Kind.GROUP, start=1, total=None))
    finished = replace(now, passes=now.passes + 1, done=not now.fresh)
    if finished.done:
        tx.audit("imported", "relay", what={"read": finished.seen, "passes": finished.passes})
        return _save(tx, finished)
    return _save(tx, replace(finished, kind=Kind.USER, start=1, fresh=0, total=None))


def take(tx: Transaction, kind: Kind, found: TargetResource, began: float) -> bool:
    """Take one resource of TFE into the directory; True when it was new here.

    One that may be somebody's who was erased meanwhile is left to the next pass.
    """
    known = rows.by_id(tx, kind, found.id) or rows.live_by_name(tx, kind, found.fields.name)
    if known is None:
        if not erased_since(tx, began):
            _insert(tx, kind, found)
        return True
    if known.state not in (rows.LIVE, rows.DELETED) or touched(tx, known.id, began):
        return False
    if known.target_id not in (None, found.id):
        return False
    new = known.target_id is None
    if known.origin == "import" and not known.last_change:
        _follow(tx, known.id, found)
    elif known.origin == "import":
        _learn_members(tx, known.id, found)
    adopting.confirm(tx, known.id, found)
    return new


def note_erasure(tx: Transaction) -> None:
    """Somebody is erased now: what was read of TFE before may still name them."""
    tx.run("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (_ERASED, str(tx.now)))


def erased_since(tx: Transaction, began: float) -> bool:
    """Whether who is not known here may have been erased since a page's request began."""
    at = tx.value("SELECT value FROM meta WHERE key = ?", (_ERASED,))
    return at is not None and float(at) >= began


def touched(tx: Transaction, resource: int, began: float) -> bool:
    """Whether anything newer than the page is known of it (K6)."""
    confirmed_at = tx.value("SELECT c_at FROM resource WHERE id = ?", (resource,))
    attempted = tx.one(
        "SELECT 1 FROM attempt WHERE resource = ?"
        " AND (verdict IS NULL OR settled_at BETWEEN ? AND ?) LIMIT 1",
        (resource, began, tx.now),
    )
    return confirmed_at >= began or attempted is not None


def _insert(tx: Transaction, kind: Kind, found: TargetResource) -> None:
    fields = found.fields
    row = tx.insert(
        "INSERT INTO resource (kind, public_id, state, origin, name, name_key, external_id, active,"
        " email, shadow, created, modified)"
        " VALUES (?, ?, 'live', 'import', ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            kind.value,
            found.id,
            fields.name,
            fields.name.casefold(),
            fields.external_id,
            fields.active,
            fields.email,
            to_json(found.shadow),
            tx.now,
            tx.now,
        ),
    )
    _follow(tx, row, found)
    adopting.confirm(tx, row, found)


def _learn_members(tx: Transaction, group: int, found: TargetResource) -> None:
    """Members that TFE has, and that nobody here knew when the group was first looked up, stay.

    A live IdP may have written to the group before the import reached its members: what no change
    ever wrote is desired as TFE has it.
    """
    learnt = 0
    for target in found.members or ():
        user = tx.value("SELECT resource FROM alias WHERE id = ?", (target,))
        if user is not None:
            learnt += tx.run(
                "INSERT OR IGNORE INTO member (group_id, user_id, desired, confirmed)"
                " VALUES (?, ?, 1, 0)",
                (group, user),
            )
    tx.run("UPDATE resource SET size = size + ? WHERE id = ?", (learnt, group))


def _follow(tx: Transaction, row: int, found: TargetResource) -> None:
    """What no IdP has written yet is desired as TFE has it."""
    for field in Field:
        rows.set_desired(tx, row, field, getattr(found.fields, field))
    tx.run("UPDATE resource SET shadow = ? WHERE id = ?", (to_json(found.shadow), row))
    if found.members is None:
        return
    tx.run("UPDATE member SET desired = 0 WHERE group_id = ?", (row,))
    users = [
        user
        for target in found.members
        if (user := tx.value("SELECT resource FROM alias WHERE id = ?", (target,))) is not None
    ]
    tx.each(
        "INSERT INTO member (group_id, user_id, desired, confirmed) VALUES (?, ?, 1, 0)"
        " ON CONFLICT (group_id, user_id) DO UPDATE SET desired = 1",
        [(row, user) for user in users],
    )
    tx.run("UPDATE resource SET size = ? WHERE id = ?", (len(users), row))
