"""Values in the shapes of RFC 7643, whatever shape they came in.

Forms U1 and section 4 (booleans as text), U5 and U21 (wrapped scalars), U10 (`emails` as an
object), U17 (a string for a complex attribute). Sub-attributes get their canonical spelling, and
what the attribute table does not know is left out: so nothing unknown, and no password, passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.rules.attributes import EMAILS, MAX_ELEMENTS, Attribute, Table, Type, find

if TYPE_CHECKING:
    from relay.rules.types import Json, JsonObject

_WHOLE: Final = 10**18  # beyond it a JSON reader may have rounded
_BOOLEANS: Final = {"true": True, "false": False}


class Misfit(Exception):
    """The value has no reading as this attribute; the message says what was expected."""


def normalise(attribute: Attribute, value: Json) -> Json:
    """`value` in the attribute's own shape; None for unassigned (null, empty text).

    Raises:
        Misfit: there is no such reading.
    """
    if attribute.multi:
        return _elements(attribute, value)
    if attribute.type is Type.COMPLEX:
        return single(attribute, unwrapped(value))
    return scalar(attribute, value)


def scalar(attribute: Attribute, value: Json) -> Json:
    """A string or boolean out of a scalar, `[x]`, `{"value": x}` or `[{"value": x}]` (U5, U21).

    Raises:
        Misfit: it is none of these.
    """
    if isinstance(value, (list, dict)):
        value = unwrapped(value)
        if isinstance(value, dict):
            value = _member(value, "value")
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return _boolean(value) if attribute.type is Type.BOOLEAN else _text(value)


def normalise_object(table: Table, value: JsonObject, *, strict: bool = False) -> JsonObject:
    """The known sub-attributes of `value`, spelt canonically; misfits and nulls are left out.

    Raises:
        Misfit: `strict`, and the sub-attribute `value` has no reading.
    """
    result: JsonObject = {}
    for key, item in value.items():
        attribute = find(table, key)
        if attribute is None:
            continue
        try:
            kept = normalise(attribute, item)
        except Misfit:
            if strict and attribute.name == "value":
                raise
            continue
        if kept is not None:
            result[attribute.name] = kept
    return result


def _elements(attribute: Attribute, value: Json) -> Json:
    if value is None:
        return None
    found = value if isinstance(value, list) else [value]
    if len(found) > MAX_ELEMENTS:
        raise Misfit(f"more than {MAX_ELEMENTS} values")
    kept: list[Json] = [read for item in found if (read := single(attribute, item))]
    if attribute is EMAILS:
        # An address without a value is none: `[{"type": "work"}]` must not displace a real one.
        return [item for item in kept if isinstance(item, dict) and "value" in item]
    return kept


def single(attribute: Attribute, value: Json) -> Json:
    """An object of a complex attribute; a scalar stands for its `value` (U17)."""
    if value is None or value == "":
        return None
    assert attribute.index is not None, attribute.name
    if isinstance(value, dict):
        return normalise_object(attribute.index, value, strict=attribute is EMAILS) or None
    if "value" in attribute.index and not isinstance(value, list):
        return {"value": scalar(attribute.index["value"], value)}
    raise Misfit(f"{attribute.name} must be an object")


def unwrapped(value: Json) -> Json:
    """The one element of a list of one; None for an empty list."""
    if not isinstance(value, list):
        return value
    if len(value) > 1:
        raise Misfit("a single value was expected, not a list")
    return value[0] if value else None


def _member(value: JsonObject, name: str) -> Json:
    for key, item in value.items():
        if key.lower() == name:
            if isinstance(item, (dict, list)):
                break
            return item
    raise Misfit("a single value was expected, not an object")


def _boolean(value: Json) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _BOOLEANS:
        return _BOOLEANS[value.strip().lower()]
    raise Misfit("true or false was expected")


def _text(value: Json) -> str:
    """Text; a whole number is taken by its digits, since templates leave quotes out (OneLogin)."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _WHOLE:
        return str(value)
    raise Misfit("text was expected")
