"""What a field is without the change that the guard holds: what was accepted before it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relay.rules.effects import FIELD_OF, Key, shadow_attribute
from relay.store.file.transaction import from_json

if TYPE_CHECKING:
    from relay.rules.types import Kind
    from relay.store.file.transaction import Transaction


def held(tx: Transaction, kind: Kind, resource: int, key: int) -> dict[str, Any] | None:
    """A held field's value `v` and what the shadow says of it, `s`; None: it is not held.

    It is what the last pending change before the one that is held wrote, or what stood before all.
    """
    row = tx.one(
        "SELECT base, first FROM effect WHERE resource = ? AND key = ? AND state = 'held'",
        (resource, key),
    )
    if row is None:
        return None
    base, first = from_json(row[0]), row[1]
    field = FIELD_OF[Key(key)]
    writes = tx.value(
        "SELECT writes FROM change WHERE resource = ? AND id >= ? AND id < ? AND state = 'pending'"
        " AND json_type(writes, ?) NOTNULL AND json_extract(writes, '$.exists') IS NULL"
        " ORDER BY id DESC LIMIT 1",
        (resource, first, base.get("held", 0), f"$.f.{field.value}"),
    )
    if writes is None:
        return {"v": base["v"], "s": base["s"]}
    wrote = from_json(writes)
    return {
        "v": wrote["f"][field.value],
        "s": wrote.get("s", {}).get(shadow_attribute(kind, field)),
    }
