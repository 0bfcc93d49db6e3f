"""A resource's row as the transactions see it, and the two ways to find one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relay.rules.ownership import owner_of
from relay.rules.types import Field, Fields, Kind

if TYPE_CHECKING:
    from relay.store.file.transaction import Transaction

COLUMNS: Final = (
    "id, kind, public_id, target_id, state, name, name_key, external_id, active, email, shadow, "
    "size, c_exists, c_name, c_external_id, c_active, c_email, c_size, c_at, c_active_at, "
    "sent_name, created, modified, last_change, origin, part_of, part_no, given_to"
)

LIVE: Final = "live"
DELETED: Final = "deleted"  # its DELETE is accepted and not yet settled
PARKED: Final = "parked"  # its creation was refused for good
GONE: Final = "gone"


@dataclass(slots=True)
class ResourceRow:
    """All of a `resource` row; `c_*` is what TFE last acknowledged."""

    id: int
    kind: str
    public_id: str
    target_id: str | None
    state: str
    name: str
    name_key: str
    external_id: str | None
    active: int | None
    email: str | None
    shadow: str
    size: int
    c_exists: int
    c_name: str | None
    c_external_id: str | None
    c_active: int | None
    c_email: str | None
    c_size: int
    c_at: float
    c_active_at: float
    sent_name: str | None
    created: float
    modified: float
    last_change: int
    origin: str
    part_of: int | None
    part_no: int | None
    given_to: str | None

    @property
    def type(self) -> Kind:
        """User or Group."""
        return Kind(self.kind)

    @property
    def owner(self) -> str:
        """The connection it belongs to, or `NOBODY`."""
        return owner_of(self.origin, self.given_to)

    @property
    def wanted(self) -> bool:
        """Whether the IdP wants it to exist in TFE."""
        return self.state == LIVE

    @property
    def desired(self) -> Fields:
        """What the IdP was told."""
        return Fields(self.name, self.external_id, _flag(self.active), self.email)

    @property
    def confirmed(self) -> Fields | None:
        """What TFE last acknowledged, or None when it does not have it."""
        if not self.c_exists or self.c_name is None:
            return None
        return Fields(self.c_name, self.c_external_id, _flag(self.c_active), self.c_email)


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)


def by_row(tx: Transaction, row: int) -> ResourceRow:
    """The resource with this key; it must be there."""
    return ResourceRow(*tx.one(f"SELECT {COLUMNS} FROM resource WHERE id = ?", (row,)))


def by_id(tx: Transaction, kind: Kind, identifier: str) -> ResourceRow | None:
    """The resource that any id ever given out names, whatever its state."""
    row = tx.one(
        f"SELECT {COLUMNS} FROM resource"
        " WHERE id = (SELECT resource FROM alias WHERE id = ?) AND kind = ?",
        (identifier, kind.value),
    )
    return None if row is None else ResourceRow(*row)


def live_by_name(tx: Transaction, kind: Kind, name: str) -> ResourceRow | None:
    """The live resource that holds a name, compared without regard to case."""
    row = tx.value(
        "SELECT id FROM resource WHERE kind = ? AND name_key = ? AND state = 'live'",
        (kind.value, name.casefold()),
    )
    return None if row is None else by_row(tx, row)


SET_FIELD: Final = {
    Field.NAME: "UPDATE resource SET name = ?, name_key = ? WHERE id = ?",
    Field.EXTERNAL_ID: "UPDATE resource SET external_id = ? WHERE id = ?",
    Field.ACTIVE: "UPDATE resource SET active = ? WHERE id = ?",
    Field.EMAIL: "UPDATE resource SET email = ? WHERE id = ?",
}


def set_desired(tx: Transaction, row: int, field: Field, value: str | bool | None) -> None:
    """Put one desired field in place."""
    if field is Field.NAME:
        tx.run(SET_FIELD[field], (value, str(value).casefold(), row))
    else:
        tx.run(SET_FIELD[field], (value, row))


def set_confirmed(
    tx: Transaction, row: int, fields: Fields, *, active_told: bool = True, name_told: bool = True
) -> None:
    """Record what TFE holds now.

    `active_told` and `name_told` are False where it said nothing of `active`, or of the name: one
    that an earlier attempt may have brought may still be there.
    """
    tx.run(
        "UPDATE resource SET c_exists = 1, c_name = ?, c_name_key = ?, c_external_id = ?,"
        " c_active = ?, c_email = ?, c_at = ?, c_active_at = iif(?, ?, c_active_at),"
        " c_roster_at = iif(c_exists, c_roster_at, ?),"
        " sent_name = iif(?, NULL, sent_name), sent_name_key = iif(?, NULL, sent_name_key)"
        " WHERE id = ?",
        (
            fields.name,
            fields.name.casefold(),
            fields.external_id,
            fields.active,
            fields.email,
            tx.now,
            active_told,
            tx.now,
            tx.now,
            name_told,
            name_told,
            row,
        ),
    )


def set_absent(tx: Transaction, row: int) -> None:
    """Record that TFE does not have it: unbound, nothing confirmed."""
    tx.run(
        "UPDATE resource SET c_exists = 0, target_id = NULL, c_name = NULL, c_name_key = NULL,"
        " c_external_id = NULL, c_active = NULL, c_email = NULL, c_size = 0, c_at = ?,"
        " sent_name = NULL, sent_name_key = NULL WHERE id = ?",
        (tx.now, row),
    )
    tx.run("UPDATE member SET confirmed = 0 WHERE group_id = ?", (row,))


def bind(tx: Transaction, row: int, target_id: str) -> bool:
    """Tie a resource to TFE's id for it; False when that id is another resource's."""
    owner = tx.value("SELECT resource FROM alias WHERE id = ?", (target_id,))
    if owner is None:
        tx.run("INSERT INTO alias (id, resource) VALUES (?, ?)", (target_id, row))
    elif owner != row:
        return False
    tx.run("UPDATE resource SET target_id = ? WHERE id = ?", (target_id, row))
    return True
