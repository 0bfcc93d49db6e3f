"""One attribute edit on one resource, without touching the original.

RFC 7644 section 3.5.2 on the shapes the dialect layer leaves: arrays hold objects, single values
are scalars or objects. Copies what it changes and shares the rest, so a replay costs little.
"""

from __future__ import annotations

from relay.rules.attributes import MAX_ELEMENTS
from relay.rules.types import AttributeEdit, EditOp, Json, JsonObject

_WORK = ("type", "work")


def applied(resource: JsonObject, edit: AttributeEdit) -> JsonObject:
    """`resource` after `edit`; `resource` itself stays as it was."""
    return _at(resource, edit.path, edit)


def _at(holder: JsonObject, path: tuple[str, ...], edit: AttributeEdit) -> JsonObject:
    name = path[0]
    present = holder.get(name)
    if len(path) == 1:
        value = _changed(present, edit)
    else:
        inner = present if isinstance(present, dict) else {}
        value = _at(inner, path[1:], edit) or None
    result = dict(holder)
    if value is None:
        result.pop(name, None)
    else:
        result[name] = value
    return result


def _changed(present: Json, edit: AttributeEdit) -> Json:
    if edit.where or edit.sub is not None:
        elements = [item for item in _list(present) if isinstance(item, dict)]
        return _elements_changed(elements, edit) or None
    if edit.op is EditOp.REMOVE:
        return None
    if isinstance(edit.value, dict) and isinstance(present, dict):
        # A complex value brings its own parts and leaves the others (RFC 7644 section 3.5.2.3).
        return {**present, **edit.value}
    if edit.op is EditOp.ADD and isinstance(edit.value, list):
        return _appended(_list(present), edit.value)
    return edit.value


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _appended(present: list[Json], added: list[Json]) -> Json:
    """New elements at the end; a new primary takes the mark from the old (section 3.5.2)."""
    known = set(map(_identity, present))
    new = [item for item in added if _identity(item) not in known]
    if any(isinstance(item, dict) and item.get("primary") is True for item in new):
        present = [_not_primary(item) for item in present]
    return [*present, *new][-MAX_ELEMENTS:]


def _identity(item: Json) -> frozenset[tuple[str, str]]:
    """Equal for equal elements; their parts are scalars, which keeps a long array cheap."""
    parts = item if isinstance(item, dict) else {"": item}
    return frozenset((key, repr(value)) for key, value in parts.items())


def _not_primary(item: Json) -> Json:
    if isinstance(item, dict) and item.get("primary") is True:
        return {**item, "primary": False}
    return item


def _elements_changed(elements: list[JsonObject], edit: AttributeEdit) -> list[Json]:
    chosen = _chosen(elements, edit)
    if edit.op is EditOp.REMOVE:
        return _removed(elements, chosen, edit.sub)
    part = _part(edit)
    if not chosen:
        return [*elements[1 - MAX_ELEMENTS :], {**_equalities(edit), **part}]
    return [
        {**item, **_adopted(item, edit), **part} if at in chosen else item
        for at, item in enumerate(elements)
    ]


def _removed(elements: list[JsonObject], chosen: set[int], sub: str | None) -> list[Json]:
    if sub is None:
        return [item for at, item in enumerate(elements) if at not in chosen]
    cut = (_without(item, sub) if at in chosen else item for at, item in enumerate(elements))
    return [item for item in cut if item]


def _without(item: JsonObject, sub: str) -> JsonObject:
    return {key: value for key, value in item.items() if key != sub}


def _part(edit: AttributeEdit) -> JsonObject:
    if edit.sub is not None:
        return {edit.sub: edit.value}
    return edit.value if isinstance(edit.value, dict) else {}


def _chosen(elements: list[JsonObject], edit: AttributeEdit) -> set[int]:
    """The places of the elements that the edit is about.

    Without a filter it is the preferred element: the primary one, else the first. A filter for
    `type eq "work"` that finds nothing takes an element without a type when one is written: TFE's
    own answers have none, and an imported address must not live on beside the new one (U6).
    """
    if not edit.where:
        primary = [at for at, item in enumerate(elements) if item.get("primary") is True]
        return set(primary[:1] or range(min(1, len(elements))))
    found = {at for at, item in enumerate(elements) if _matches(item, edit.where)}
    if found or edit.where != (_WORK,) or edit.op is EditOp.REMOVE:
        return found
    return set([at for at, item in enumerate(elements) if "type" not in item][:1])


def _matches(item: JsonObject, where: tuple[tuple[str, str], ...]) -> bool:
    return all(_text(item.get(name)) == value.lower() for name, value in where)


def _text(value: Json) -> str | None:
    """Text to compare: RFC 7643 has no element whose filter would mind letter case."""
    return None if value is None else str(value).lower()


def _equalities(edit: AttributeEdit) -> JsonObject:
    """What a new element must hold to satisfy its own filter."""
    return {name: _literal(name, value) for name, value in edit.where}


def _literal(name: str, value: str) -> Json:
    return value.lower() == "true" if name == "primary" else value


def _adopted(item: JsonObject, edit: AttributeEdit) -> JsonObject:
    return {} if _matches(item, edit.where) else _equalities(edit)
