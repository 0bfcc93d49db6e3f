"""Parts share their group's fate: its name and its end. Empty ones wait for an operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.errors import Refused
from relay.rules.overflow import part_name
from relay.rules.types import Field, Fields, Kind, Verb, Write
from relay.store.edits import incoming, naming, removing, writing
from relay.store.file.transaction import from_json, to_json
from relay.store.groups import parts
from relay.store.groups.seating import parts_of
from relay.store.state import rows

if TYPE_CHECKING:
    from relay.rules.contract import TargetProfile
    from relay.rules.types import JsonObject
    from relay.store.file.transaction import Transaction
    from relay.store.groups.seating import Part
    from relay.store.state.rows import ResourceRow


def rename(
    tx: Transaction, group: ResourceRow, connection: str, profile: TargetProfile | None
) -> None:
    """Have the parts follow the name that the group has now.

    Args:
        tx: the transaction that gave it the name.
        group: the whole, as it is now.
        connection: who is charged.
        profile: for which names may be given; None: nobody can be refused any more, and a part
            whose new name another group has keeps its own.

    Raises:
        Refused: 409, another group has the name of a part.
    """
    for part in parts_of(tx, group.id):
        name = part_name(group.name, part.number)
        if name == part.name:
            continue
        if profile is not None:
            naming.refuse_taken_name(tx, Kind.GROUP, name, part.row, profile)
        elif _is_anothers(tx, name, part.row):
            continue
        before = rows.by_row(tx, part.row)
        old_shadow = from_json(before.shadow)
        shadow: JsonObject = {**old_shadow, "displayName": name}
        rows.set_desired(tx, part.row, Field.NAME, name)
        tx.run("UPDATE resource SET shadow = ? WHERE id = ?", (to_json(shadow), part.row))
        if not part.live:
            continue
        new = Fields(name, before.external_id, None, None)
        writes = writing.writes_of(Kind.GROUP, new, shadow, frozenset({Field.NAME}), {})
        request = incoming.Accepting(connection, Write(Verb.PATCH, Kind.GROUP))
        change = incoming.insert_change(tx, request, part.row, writes, why=parts.why(group))
        values = (before.desired, new, old_shadow)
        writing.write_field(tx, before, Field.NAME, change, values)
        incoming.enter_lane(tx, request, change, before)


def _is_anothers(tx: Transaction, name: str, part: int) -> bool:
    holder = rows.live_by_name(tx, Kind.GROUP, name)
    return holder is not None and holder.id != part


def end(tx: Transaction, group: ResourceRow, connection: str) -> None:
    """Delete all parts of a group that goes."""
    for part in parts_of(tx, group.id):
        if part.live:
            _delete(tx, part.row, connection, parts.why(group))
        else:
            removing.gone(tx, rows.by_row(tx, part.row))


def compact(tx: Transaction, named: str, actor: str, reason: str) -> list[str]:
    """Delete the parts that nobody is in, on an operator's order (H5); their names.

    A team that is linked to one of them loses nobody, but its link.

    Args:
        tx: the transaction.
        named: the whole group's id or name.
        actor: who orders it.
        reason: why.

    Raises:
        Refused: 404, there is no such group.
    """
    group = rows.by_id(tx, Kind.GROUP, named) or rows.live_by_name(tx, Kind.GROUP, named)
    if group is None or group.part_of is not None:
        raise Refused(404, f"no group has the id or the name {named!r}")
    empty = [part for part in parts_of(tx, group.id) if part.live and _is_empty(tx, part)]
    for part in empty:
        _delete(tx, part.row, "relay", reason)
        tx.audit("compacted", actor, resource=part.row, reason=reason)
        tx.outbox.work = True
    return [part.name for part in empty]


def _is_empty(tx: Transaction, part: Part) -> bool:
    """Whether nobody is to be in a part, and TFE has nobody in it either.

    Who is still to be taken off waits for the guard or for TFE: that is not an operator's order.
    """
    there = "SELECT 1 FROM member WHERE group_id = ? AND confirmed <> 0 LIMIT 1"
    return not part.size and tx.one(there, (part.row,)) is None


def _delete(tx: Transaction, row: int, connection: str, why: str) -> None:
    before = rows.by_row(tx, row)
    request = incoming.Accepting(connection, Write(Verb.DELETE, Kind.GROUP))
    change = incoming.insert_change(tx, request, row, {"exists": False}, why=why)
    removing.remove(tx, before, change)
    incoming.enter_lane(tx, request, change, before)
