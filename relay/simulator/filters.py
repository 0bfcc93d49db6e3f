"""The filters and pages TFE documents: one equality, `startIndex`, `count` (contract, *Limits*)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

from relay.simulator.errors import ScimError, bad_value

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_COUNT: Final = 100
_EQUALITY: Final = re.compile(r'([A-Za-z]+) eq ("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True, slots=True)
class Query:
    """A list request.

    Attributes:
        equals: `(attribute, value)`, or None for everything.
        start: 1-based index of the first result.
        count: how many results at most.
        members: groups carry their rosters.
    """

    equals: tuple[str, str] | None
    start: int
    count: int
    members: bool


def parse_query(query: Mapping[str, str], name_attribute: str, max_page: int) -> Query:
    """The list request these parameters make.

    Raises:
        ScimError: 400 for an undocumented filter or a number that is none.
    """
    return Query(
        equals=_parse_filter(query.get("filter"), name_attribute),
        start=max(1, _number(query, "startIndex", 1)),
        count=min(max_page, max(0, _number(query, "count", DEFAULT_COUNT))),
        members=wants_members(query),
    )


def wants_members(query: Mapping[str, str]) -> bool:
    """Whether `excludedAttributes` leaves `members` in."""
    excluded = query.get("excludedAttributes", "")
    return "members" not in (name.strip() for name in excluded.split(","))


def _parse_filter(text: str | None, name_attribute: str) -> tuple[str, str] | None:
    if text is None:
        return None
    found = _EQUALITY.fullmatch(text.strip())
    if found is None or found[1] not in {name_attribute, "externalId"}:
        raise ScimError(400, f"unsupported filter: {text}", "invalidFilter")
    try:
        return found[1], str(orjson.loads(found[2]))
    except orjson.JSONDecodeError as error:
        raise ScimError(400, f"malformed filter value: {text}", "invalidFilter") from error


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(query.get(name, default))
    except ValueError as error:
        raise bad_value(f"{name} must be a whole number") from error
