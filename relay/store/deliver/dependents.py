"""Changes that took a name which was not freed after all (semantics S2).

Uniqueness is checked against desired when a change is accepted, so a name may be promised to the
next taker before TFE has agreed to let go of it. If TFE refuses that, the taker is parked as
dependent, with the cause in its reason, and is tried again when the cause is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.rules.effects import Key
from relay.store.deliver.parking import Refusal, refuse
from relay.store.state import effects, lanes, names, rows

if TYPE_CHECKING:
    from relay.store.file.transaction import Transaction


def park(tx: Transaction, row: int) -> None:
    """Park whoever took the name that this resource has just been given back."""
    holder = rows.by_row(tx, row)
    if holder.state != rows.LIVE:
        return
    takers = tx.all(
        "SELECT id FROM resource WHERE kind = ? AND name_key = ? AND state = 'live' AND id <> ?",
        (holder.kind, holder.name_key, row),
    )
    if not takers:
        return
    cause: int = tx.value(
        "SELECT ifnull(max(id), 0) FROM change WHERE resource = ?"
        " AND state IN ('parked', 'refused', 'dropped')",
        (row,),
    )
    detail = f"name still held by {holder.public_id}, change {cause}"
    given = names.given_to(tx, holder, holder.name)
    for (taker,) in takers:
        resource = rows.by_row(tx, taker)
        if given is not None and given.id == taker:
            continue  # nothing of it is owed: TFE tells the other that the name is taken
        renamed = resource.c_exists or effects.is_unsettled(tx, taker, Key.NAME)
        key = Key.NAME if renamed else Key.EXISTS
        refuse(tx, resource, [key], Refusal(409, detail, "uniqueness", behind=cause))
        lanes.renew(tx, rows.by_row(tx, taker))


def of(tx: Transaction, cause: int) -> list[int]:
    """The parked changes that depend on this one."""
    return [
        change
        for (change,) in tx.all(
            "SELECT last FROM effect WHERE state = 'parked'"
            " AND json_extract(reason, '$.behind') = ?",
            (cause,),
        )
    ]
