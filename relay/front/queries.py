"""The query of a read: paging, filter and projection, out of an URL or a `.search` body.

Liberal (idp-dialects section 4): junk numbers fall back to the default, a trailing `&`, a bare `?`
and unknown parameters mean nothing. Sorting is not promised (`sort.supported` is false): it is done
as far as a scan of the directory goes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from relay.errors import Refused
from relay.rules.contract import GROUP_SCHEMA, USER_SCHEMA
from relay.rules.types import Kind

if TYPE_CHECKING:
    from relay.rules.types import Json, JsonObject

DEFAULT_COUNT: Final = 100
_ALL: Final = -1  # Ping's spelling of "as many as you give"
_MAX_START: Final = 2**31 - 1
_MAX_PARAMETERS: Final = 100
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,20}")
_SELECTOR: Final = re.compile(r"\[[^\]]*\]")
_MEMBERS: Final = ("members", f"{GROUP_SCHEMA}:members".lower())
_GROUPS: Final = ("groups", f"{USER_SCHEMA}:groups".lower())
_DISPLAYS: Final = tuple(f"{name}.display" for name in _MEMBERS)


@dataclass(frozen=True, slots=True)
class Query:
    """What a read asks for (RFC 7644 section 3.4.2).

    Attributes:
        filter: the filter's text, or None.
        start: 1-based, at least 1.
        count: 0 to the largest page.
        attributes: the only ones wanted; empty for all.
        excluded: the ones not wanted.
        sort_by: the attribute to sort by; empty for the order of creation.
        descending: the greatest first.
    """

    filter: str | None = None
    start: int = 1
    count: int = DEFAULT_COUNT
    attributes: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    sort_by: str = ""
    descending: bool = False

    @property
    def projects(self) -> bool:
        """Whether part of the resource is asked for."""
        return bool(self.attributes or self.excluded)

    @property
    def names_members(self) -> bool:
        """Whether the roster is asked for by name."""
        return any(_is_one_of(_MEMBERS, name) for name in self.attributes)

    @property
    def names_displays(self) -> bool:
        """Whether the names of members are asked for (RFC 7643 section 7: returned on request)."""
        return any(name.lower() in _DISPLAYS for name in self.attributes)

    def wants_members(self, kind: Kind) -> bool:
        """Whether a group's answer carries its roster: unless left out or not among those named.

        A user's carries its groups if they are named (RFC 7643 section 7: returned on request).
        """
        if kind is Kind.USER:
            return any(_is_one_of(_GROUPS, name) for name in self.attributes)
        if self.attributes:
            return self.names_members
        return not any(name.lower() in _MEMBERS for name in self.excluded)


PLAIN: Final = Query()


def _is_one_of(names: tuple[str, ...], name: str) -> bool:
    lowered = name.lower()
    return any(lowered == known or lowered.startswith(f"{known}.") for known in names)


def from_url(raw: str, max_page: int) -> Query:
    """The query of an URL, as on the wire.

    Args:
        raw: what stands behind the `?`, percent-encoded.
        max_page: `count` is capped at this.

    Raises:
        Refused: more than 100 parameters (400).
    """
    if not raw:
        return PLAIN
    try:
        pairs = parse_qsl(readable(raw), max_num_fields=_MAX_PARAMETERS)
    except ValueError as error:
        raise Refused(400, "the query has too many parameters", "invalidValue") from error
    given = {name.lower(): value for name, value in pairs}
    return Query(
        filter=given.get("filter", "").strip() or None,
        start=_start(given.get("startindex")),
        count=_count(given.get("count"), max_page),
        attributes=_wanted(given.get("attributes")),
        excluded=_names(given.get("excludedattributes")),
        sort_by=_text(given.get("sortby")).strip(),
        descending=_text(given.get("sortorder")).strip().lower() == "descending",
    )


def from_search(body: JsonObject, max_page: int) -> Query:
    """The query of a `.search` request (RFC 7644 section 3.4.3).

    Raises:
        Refused: the filter is not text (400 `invalidFilter`).
    """
    given = {name.lower(): value for name, value in body.items()}
    text = given.get("filter")
    if not isinstance(text, str | None):
        raise Refused(400, "filter must be a string", "invalidFilter")
    return Query(
        filter=(text or "").strip() or None,
        start=_start(given.get("startindex")),
        count=_count(given.get("count"), max_page),
        attributes=_wanted(given.get("attributes")),
        excluded=_names(given.get("excludedattributes")),
        sort_by=_text(given.get("sortby")).strip(),
        descending=_text(given.get("sortorder")).strip().lower() == "descending",
    )


def readable(raw: str) -> str:
    """`raw` without the lone surrogates that stand for bytes that are not UTF-8.

    An answer that quoted them could not be encoded.
    """
    return raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _start(value: Json) -> int:
    return min(max(_whole(value, 1), 1), _MAX_START)


def _count(value: Json, max_page: int) -> int:
    """RFC 7644 table 6: negative means 0; `-1` alone is Ping's "all you give"."""
    count = _whole(value, min(DEFAULT_COUNT, max_page))
    return max_page if count == _ALL else min(max(count, 0), max_page)


def _whole(value: Json, default: int) -> int:
    if isinstance(value, bool):
        return default
    if isinstance(value, int):
        return value
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    return default


def _names(value: Json) -> tuple[str, ...]:
    return tuple(name for part in _text(value).split(",") if (name := part.strip()))


def _wanted(value: Json) -> tuple[str, ...]:
    """Names of attributes; a filter behind one is left away, so that it selects the whole.

    RFC 7644 section 3.10 has no filter there, Microsoft's collection does.
    """
    return _names(_SELECTOR.sub("", _text(value)))


def _text(value: Json) -> str:
    items = value if isinstance(value, list) else [value]
    return ",".join(item for item in items if isinstance(item, str))
