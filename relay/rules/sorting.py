"""`sortBy` and `sortOrder` (RFC 7644 section 3.4.2.3): what a list is put in order by.

Pure. Text compares as its attribute's `caseExact` says, of several values the primary one counts,
else the first; what has no value comes last, or first when descending.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.rules.attributes import Attribute, Type
from relay.rules.names import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from relay.rules.types import Json, JsonObject, Kind

Order = tuple[bool, str]


def order(kind: Kind, by: str) -> Callable[[JsonObject], Order] | None:
    """The key to sort bodies by; None where this type has no such attribute: nothing is sorted."""
    name = resolve(kind, by)
    if name is None or name.attribute is None:
        return None
    place = name.path if name.sub is None else (*name.path, name.sub.name)
    rules = _rules(name.sub or name.attribute)

    def key(body: JsonObject) -> Order:
        value = _one(body, place)
        if value is None:
            return True, ""
        text = str(value)
        exact = rules.case_exact or rules.type is Type.DATE_TIME
        return False, text if exact else text.casefold()

    return key


def _rules(attribute: Attribute) -> Attribute:
    return attribute.index.get("value", attribute) if attribute.index is not None else attribute


def _one(value: Json, place: tuple[str, ...]) -> Json:
    """The one value that counts, or None."""
    if isinstance(value, list):
        primary = [one for one in value if isinstance(one, dict) and one.get("primary") is True]
        value = next(iter(primary or value), None)
    if place:
        return _one(value.get(place[0]), place[1:]) if isinstance(value, dict) else None
    return value.get("value") if isinstance(value, dict) else value
