"""Bodies of the control API, read strictly into the dataclasses they mean.

Names, types, nothing unknown: a script's typing error is a 400 that names the key.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from relay.simulator.errors import ScimError, bad_value

if TYPE_CHECKING:
    from relay.rules.types import Json, JsonObject

Shape = TypeVar("Shape")


def changed(current: Shape, body: JsonObject) -> Shape:
    """A copy of a dataclass with the keys of a body replaced."""
    names = [field.name for field in fields(current)]  # type: ignore[arg-type]  # a dataclass
    whole = {name: getattr(current, name) for name in names}
    for name, value in whole.items():
        if isinstance(value, frozenset):
            whole[name] = sorted(value)
    return read(type(current), {**whole, **body})


def read(shape: type[Shape], body: Json) -> Shape:
    """The body as an instance of a dataclass; 400 naming the key that is wrong."""
    if not isinstance(body, dict):
        raise bad_value("the body is not a JSON object")
    known = {field.name for field in fields(shape)}  # type: ignore[arg-type]  # a dataclass
    for name, value in body.items():
        if name not in known:
            raise bad_value(f"unknown key {name!r}; known: {', '.join(sorted(known)) or 'none'}")
        if isinstance(value, int | float) and value < 0:
            raise bad_value(f"{name} must not be negative")
    try:
        return TypeAdapter(shape).validate_json(orjson.dumps(body), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ScimError(400, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
