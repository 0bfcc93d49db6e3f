"""What a field is without the change that the guard holds: what was accepted before it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relay.rules.effects import FIELD_OF, Key, shadow_attribute
from relay.store.file.transaction import from_json

if TYPE_CHECKING:
    from relay.rules.types import Kind
    from relay.store.file.transaction import Transaction


def change(tx: Transaction, resource: int, key: int) -> tuple[int, dict[str, Any]] | None:
    """The last pending change that wrote a held field before the one that is held; None: none did.

    Returns:
        Its number and what it wrote.
    """
    found = tx.one(
        "SELECT c.id, c.writes FROM effect e JOIN change c ON c.resource = e.resource"
        " AND c.id >= e.first AND c.id < json_extract(e.base, '$.held')"
        " WHERE e.resource = ? AND e.key = ? AND e.state = 'held' AND c.state = 'pending'"
        " AND json_type(c.writes, ?) NOTNULL AND json_extract(c.writes, '$.exists') IS NULL"
        " ORDER BY c.id DESC LIMIT 1",
        (resource, key, f"$.f.{FIELD_OF[Key(key)].value}"),
    )
    return None if found is None else (found[0], from_json(found[1]))


def held(tx: Transaction, kind: Kind, resource: int, key: int) -> dict[str, Any] | None:
    """A held field's value `v` and what the shadow says of it, `s`; None: it is not held.

    It is what the change beneath wrote, or what stood before all.
    """
    base = tx.value(
        "SELECT base FROM effect WHERE resource = ? AND key = ? AND state = 'held'",
        (resource, key),
    )
    if base is None:
        return None
    beneath = change(tx, resource, key)
    if beneath is None:
        stood: dict[str, Any] = from_json(base)
        return stood
    field, writes = FIELD_OF[Key(key)], beneath[1]
    written = writes.get("s", {}).get(shadow_attribute(kind, field))
    return {"v": writes["f"][field.value], "s": written}
