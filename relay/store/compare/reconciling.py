"""Comparing one resource of TFE with what TFE last confirmed of it, and mending what differs.

The comparison is with *confirmed*, not with desired: a difference is something that neither the
relay nor an identity provider did (drift). Mending is taking TFE's word and letting delivery bring
it back, by the same lanes, planner and guard. Nothing is deleted because nobody here knows it, and
what was attempted or confirmed since TFE was asked is left alone (K6).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from relay.rules.effects import KEY_OF
from relay.rules.types import Field, Kind
from relay.store.compare import adopting, importing
from relay.store.state import effects, lanes, rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from relay.rules.shadow import TargetResource
    from relay.store.file.transaction import Transaction
    from relay.store.state.rows import ResourceRow


class DriftKind(StrEnum):
    """How TFE differs from what it confirmed."""

    MISSING = "missing"  # TFE has lost a resource
    CHANGED = "changed"  # a field has another value
    MEMBER_GONE = "member_gone"  # a group has lost a member
    MEMBER_ADDED = "member_added"  # a group has a member that nobody here added
    STRANGE_MEMBER = "strange_member"  # a group has a member that nobody here knows
    STRANGER = "stranger"  # a user or group that nobody here knows
    NAME_TAKEN = "name_taken"  # the same, under a name that an identity provider owns


def compare(
    tx: Transaction, kind: Kind, found: TargetResource, began: float, *, mend: bool
) -> list[DriftKind]:
    """Compare one resource with what TFE confirmed, and mend it if that is the policy."""
    known = rows.by_id(tx, kind, found.id)
    if known is None or known.target_id != found.id:
        return _strange(tx, kind, found, known, began)
    if known.confirmed is None or importing.touched(tx, known.id, began):
        return []
    drifts = list(_differing(tx, known, found))
    for what, detail in drifts:
        _note(tx, kind, known, what, detail)
    if not drifts:
        tx.run("UPDATE resource SET c_at = ? WHERE id = ?", (tx.now, known.id))
    elif mend:
        adopting.confirm(tx, known.id, found)
    return [what for what, _ in drifts]


def note_stranger(tx: Transaction, kind: Kind, found: TargetResource) -> None:
    """TFE has what nobody here knows."""
    _write(tx, 0, kind, found.fields.name, DriftKind.STRANGER, "TFE has it", found.id)


def _strange(
    tx: Transaction, kind: Kind, found: TargetResource, known: ResourceRow | None, began: float
) -> list[DriftKind]:
    """TFE has what nobody here bound: said, never deleted.

    Unless it is under way: its creation, or its deletion, may be newer than the page. So may be the
    erasure of whom it was.
    """
    if known is None and importing.erased_since(tx, began):
        return []
    owner = rows.live_by_name(tx, kind, found.fields.name)
    for one in (known, owner):
        if one is not None and (one.target_id is None or importing.touched(tx, one.id, began)):
            return []
    what = DriftKind.STRANGER if owner is None else DriftKind.NAME_TAKEN
    _write(tx, 0, kind, found.fields.name, what, "TFE has it", found.id)
    return [what]


def _differing(
    tx: Transaction, known: ResourceRow, found: TargetResource
) -> Iterator[tuple[DriftKind, str]]:
    """What differs though no attempt of ours is in doubt about it."""
    assert known.confirmed is not None
    unknown = {effect.key for effect in effects.unsettled(tx, known.id) if effect.unknown}
    for one in Field:
        here, there = getattr(known.confirmed, one), getattr(found.fields, one)
        if here != there and KEY_OF[one] not in unknown:
            yield DriftKind.CHANGED, f"{one.value} is {there!r}, was {here!r}"
    if found.members is not None:
        yield from _roster(tx, known.id, found.members)


def _roster(
    tx: Transaction, group: int, members: tuple[str, ...]
) -> Iterator[tuple[DriftKind, str]]:
    here = {
        user: (confirmed, name)
        for user, confirmed, name in tx.all(
            "SELECT m.user_id, m.confirmed, u.name FROM member m"
            " JOIN resource u ON u.id = m.user_id WHERE m.group_id = ? AND m.confirmed <> 0",
            (group,),
        )
    }
    there = set()
    for target in members:
        user = tx.value("SELECT resource FROM alias WHERE id = ?", (target,))
        there.add(user)
        if user is None:
            yield DriftKind.STRANGE_MEMBER, f"the id {target}"
        elif user not in here:
            name = tx.value("SELECT name FROM resource WHERE id = ?", (user,))
            yield DriftKind.MEMBER_ADDED, name
    for user, (confirmed, name) in here.items():
        if user not in there and confirmed == 1:
            yield DriftKind.MEMBER_GONE, name


def lost(tx: Transaction, kind: Kind, row: int, target_id: str, began: float) -> list[DriftKind]:
    """Note that TFE lost it; `recreate` follows once all that it lost of this kind are known."""
    resource = rows.by_row(tx, row)
    moved = resource.target_id != target_id or not resource.wanted
    if moved or importing.touched(tx, row, began):
        return []
    _note(tx, kind, resource, DriftKind.MISSING, f"it had the id {target_id}")
    return [DriftKind.MISSING]


def recreate(tx: Transaction, kind: Kind, instead: Mapping[int, TargetResource]) -> None:
    """Have everything that TFE lost created again, all of it at once.

    A group that is mended while another of its members is still believed to exist is answered 404,
    and the membership would be parked.

    Args:
        tx: the transaction.
        kind: users before groups.
        instead: what has the name of a missing resource now, by row: it is taken for that
            resource, as after a 409 (K4), once the name was compared.
    """
    for row, at in tx.all(
        "SELECT resource, at FROM drift WHERE kind = ? AND what = 'missing' ORDER BY resource",
        (kind.value,),
    ):
        resource = rows.by_row(tx, row)
        if not resource.wanted or not resource.c_exists or importing.touched(tx, row, at):
            continue
        adopting.absent(tx, row)
        found = instead.get(row)
        if found is not None and found.fields.name.casefold() == resource.name_key:
            adopting.confirm(tx, row, found)
        lanes.renew(tx, rows.by_row(tx, row))


def _note(tx: Transaction, kind: Kind, resource: ResourceRow, what: DriftKind, detail: str) -> None:
    _write(tx, resource.id, kind, resource.name, what, detail)
    tx.audit("drift", "relay", resource=resource.id, what={"drift": what.value}, detail=detail)


def _write(
    tx: Transaction,
    resource: int,
    kind: Kind,
    name: str,
    what: DriftKind,
    detail: str,
    other_id: str | None = None,
) -> None:
    tx.run(
        "INSERT INTO drift (resource, kind, name, name_key, what, detail, other_id, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (resource, kind.value, name, name.casefold(), what.value, detail, other_id, tx.now),
    )
    tx.outbox.counted.append(("drift", what.value))
