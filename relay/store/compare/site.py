"""What the store knows of what TFE's admin API shows: what is protected, and when rosters moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.store.file.transaction import from_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relay.store.file.engine import Connection

LINKS_NOTE: Final = "links ordered"
"""Who ordered the declared team links to be made, and whether others go, as JSON; or empty."""

_LOOKED_AT: Final = 50
"""Attempts of a group that are looked at for its last change of members."""


def protects_group(connection: Connection, target_id: str, name: str) -> bool:
    """Whether the guard protects the group with this id at TFE, or of this name."""
    row = connection.execute(
        "SELECT 1 FROM protected p LEFT JOIN resource r ON r.id = p.resource"
        " WHERE p.kind = 'Group' AND (p.name_key = ? OR r.target_id = ?)",
        (name.casefold(), target_id),
    ).fetchone()
    return row is not None


def protects_user(connection: Connection, names: Iterable[str]) -> bool:
    """Whether the guard protects a user of one of these names or addresses."""
    return any(
        connection.execute(
            "SELECT 1 FROM protected WHERE kind = 'User' AND name_key = ?", (name.casefold(),)
        ).fetchone()
        for name in names
        if name
    )


def roster_at(connection: Connection, group_name: str) -> float | None:
    """When TFE last took a change of the members of the group it has under this name, or None."""
    rows = connection.execute(
        "SELECT a.settled_at, a.keys FROM attempt a JOIN resource r ON r.id = a.resource"
        " WHERE r.kind = 'Group' AND r.c_exists = 1 AND r.c_name_key = ?"
        " AND a.verdict = 'delivered' AND a.keys IS NOT NULL ORDER BY a.id DESC LIMIT ?",
        (group_name.casefold(), _LOOKED_AT),
    )
    return next((at for at, keys in rows if any(key > 0 for key in from_json(keys))), None)


def parts_of(connection: Connection, group_name: str) -> list[str]:
    """Names of the further groups that hold members of an overflowed group, in their order."""
    rows = connection.execute(
        "SELECT p.name FROM resource p JOIN resource g ON g.id = p.part_of"
        " WHERE g.kind = 'Group' AND g.name_key = ? AND p.state = 'live' ORDER BY p.part_no",
        (group_name.casefold(),),
    )
    return [name for (name,) in rows]
