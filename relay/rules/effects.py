"""Effects: the keys in which desired and confirmed may differ, and how they are named.

An effect's key is one integer, so that a membership's key is the user's row itself: positive for
a membership, zero and below for the resource's own keys. Semantics S6: folding, readiness,
coverage, ambiguity and the guard all speak of these keys.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

from relay.rules.types import Field, Fields, Kind


class Key(IntEnum):
    """The keys of a resource itself; a membership's key is the row of its user (positive)."""

    EXISTS = 0
    NAME = -1
    EXTERNAL_ID = -2
    ACTIVE = -3
    EMAIL = -4


class EffectState(StrEnum):
    """Where an effect stands."""

    OPEN = "open"  # may be sent once it is due
    WAITING = "waiting"  # for its user's creation, or for a name to become free
    HELD = "held"  # by the guard
    PARKED = "parked"  # refused for good: a note for the next request, nothing is owed


KEY_OF: Final = {
    Field.NAME: Key.NAME,
    Field.EXTERNAL_ID: Key.EXTERNAL_ID,
    Field.ACTIVE: Key.ACTIVE,
    Field.EMAIL: Key.EMAIL,
}
FIELD_OF: Final = {key: field for field, key in KEY_OF.items()}

SHADOW_ATTRIBUTE: Final = {
    Field.EXTERNAL_ID: "externalId",
    Field.ACTIVE: "active",
    Field.EMAIL: "emails",
}


def shadow_attribute(kind: Kind, field: Field) -> str:
    """The attribute of the shadow that `field` is read from."""
    return kind.name_attribute if field is Field.NAME else SHADOW_ATTRIBUTE[field]


def differing(old: Fields, new: Fields) -> frozenset[Field]:
    """The fields in which two states of a resource differ."""
    return frozenset(field for field in Field if getattr(old, field) != getattr(new, field))


def revokes(key: int, desired: object) -> bool:
    """Whether bringing `key` to `desired` takes access away (design, *Revocation first*).

    Deleting, suspending and leaving a group do; nothing else does.
    """
    if key in (Key.EXISTS, Key.ACTIVE) or key > 0:
        return not desired
    return False


def as_created(field: Field, value: object) -> dict[str, object]:
    """A field of which only the value is kept, as the base of an effect."""
    return {"v": value, "s": [{"value": value}] if field is Field.EMAIL and value else value}
