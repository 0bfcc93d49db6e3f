"""A sweep: everything TFE holds is compared with *confirmed*, page by page, users before groups.

Its position is a row, so that a restart goes on with it; what it found is kept until the next one
begins.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Final

from relay.rules.types import Kind
from relay.store.compare.reconciling import DriftKind, compare, lost, recreate
from relay.store.file.containing import contained
from relay.store.file.transaction import Transaction, from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from relay.rules.shadow import TargetResource
    from relay.store.file.engine import Connection

META_KEY: Final = "reconcile"
BATCH: Final = 50
"""Resources asked for by id that a list did not name, before the next are looked for."""
SHOWN: Final = 1000
"""Differences in one answer to an operator."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Where a comparison stands; a row, so that a restart goes on from here.

    Attributes:
        began: wall time; 0 before the first.
        finished: wall time of its end; None while it is under way.
        mend: TFE is brought back where it differs; otherwise that is reported only.
        kind: what is compared now.
        start: the 1-based `startIndex` of the next page.
        behind: the last resource asked for by id because no page named it; None: pages are read.
        checked: resources compared so far.
        found: differences by kind.
    """

    began: float = 0.0
    finished: float | None = 0.0
    mend: bool = True
    kind: Kind = Kind.USER
    start: int = 1
    behind: int | None = None
    checked: int = 0
    found: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unnamed:
    """A resource that TFE's list did not name.

    Attributes:
        resource: its row.
        target_id: TFE's id for it.
        other_id: the id under which TFE lists its name instead, or None.
    """

    resource: int
    target_id: str
    other_id: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One drift, as operators see it; `detail` says what is there and what was confirmed."""

    kind: str
    name: str
    what: DriftKind
    detail: str
    at: float


def read(connection: Connection) -> Sweep:
    """The last sweep, or the one under way."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (META_KEY,)).fetchone()
    stored = from_json(row[0]) if row else None
    return Sweep(**{**stored, "kind": Kind(stored["kind"])}) if stored else Sweep()


def _save(tx: Transaction, sweep: Sweep) -> Sweep:
    tx.run(
        "INSERT INTO meta (key, value) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (META_KEY, to_json(asdict(sweep))),
    )
    return sweep


def begin(tx: Transaction, *, mend: bool) -> Sweep:
    """Begin a sweep; what the one before it found is forgotten."""
    tx.run("DELETE FROM drift")
    return _save(tx, Sweep(began=tx.now, finished=None, mend=mend))


def postpone(tx: Transaction) -> Sweep:
    """The import has just compared everything: the first sweep is due a whole interval later."""
    return _save(tx, Sweep(began=tx.now, finished=tx.now))


def compare_page(
    tx: Transaction, sweep: Sweep, resources: Sequence[TargetResource], total: int, began: float
) -> Sweep:
    """Compare one page and move on; the new state.

    Args:
        tx: the transaction.
        sweep: the state whose page this is.
        resources: the page.
        total: the list's `totalResults` as this page said.
        began: wall time at which its request began.
    """
    found = dict(sweep.found)
    for resource in resources:
        with contained(tx, "reconcile"):
            _count(found, compare(tx, sweep.kind, resource, began, mend=sweep.mend))
    start = sweep.start + len(resources)
    behind = None if resources and start <= total else 0
    checked = sweep.checked + len(resources)
    return _save(tx, replace(sweep, start=start, behind=behind, checked=checked, found=found))


def compare_one(
    tx: Transaction, sweep: Sweep, of: Unnamed, resource: TargetResource | None, began: float
) -> Sweep:
    """Compare what was asked for by id because no page named it.

    Args:
        tx: the transaction.
        sweep: the state.
        of: what was asked for.
        resource: it, or None: TFE does not have it.
        began: wall time at which the request began.
    """
    found = dict(sweep.found)
    with contained(tx, "reconcile"):
        if resource is not None:
            _count(found, compare(tx, sweep.kind, resource, began, mend=sweep.mend))
        else:
            _count(found, lost(tx, sweep.kind, of.resource, of.target_id, began))
    return _save(tx, replace(sweep, behind=of.resource, checked=sweep.checked + 1, found=found))


def _count(found: dict[str, int], kinds: list[DriftKind]) -> None:
    for kind in kinds:
        found[kind.value] = found.get(kind.value, 0) + 1


def next_kind(tx: Transaction, sweep: Sweep, instead: Mapping[int, TargetResource]) -> Sweep:
    """Everything of this kind was compared: groups follow users, then the sweep is over.

    What is missing is created again now; `instead` is what has its name in TFE, by row.
    """
    if sweep.mend:
        recreate(tx, sweep.kind, instead)
    if sweep.kind is Kind.USER:
        return _save(tx, replace(sweep, kind=Kind.GROUP, start=1, behind=None))
    tx.audit("reconciled", "relay", what={"checked": sweep.checked, **sweep.found})
    return _save(tx, replace(sweep, finished=tx.now))


def unnamed(connection: Connection, sweep: Sweep) -> Sequence[Unnamed]:
    """Resources that TFE confirmed once and that no page of this sweep named; some of them."""
    found = connection.execute(
        "SELECT id, target_id, (SELECT other_id FROM drift WHERE drift.what = 'name_taken'"
        " AND drift.name_key = resource.name_key AND drift.kind = resource.kind)"
        " FROM resource WHERE kind = ? AND id > ? AND state = 'live'"
        " AND c_exists = 1 AND c_at < ? AND target_id IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM drift WHERE drift.resource = resource.id)"
        " ORDER BY id LIMIT ?",
        (sweep.kind.value, sweep.behind, sweep.began, BATCH),
    ).fetchall()
    return [Unnamed(*row) for row in found]


def idle(connection: Connection) -> bool:
    """Whether no lane has anything to send now."""
    busy = connection.execute(
        "SELECT 1 FROM lane WHERE state IN ('ready', 'sending') LIMIT 1"
    ).fetchone()
    return busy is None


def differences(connection: Connection) -> Sequence[Difference]:
    """What the last sweep found, the first of it."""
    found = connection.execute(
        "SELECT kind, name, what, detail, at FROM drift ORDER BY id LIMIT ?", (SHOWN,)
    )
    return [
        Difference(kind, name, DriftKind(what), detail, at)
        for kind, name, what, detail, at in found
    ]
