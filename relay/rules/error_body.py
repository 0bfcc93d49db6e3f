"""Reads what TFE, or a proxy before it, wrote into an error's body.

Lenient on purpose: whether an attempt failed is told by its status, never by this text, which is
shown to people. Understands SCIM errors (RFC 7644 section 3.12), JSON:API errors and plain text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from relay.rules.types import Json

MAX_DETAIL: Final = 500
"""Characters of a detail that are kept: enough for TFE's sentences, not for an HTML page."""


def detail_of(body: Json) -> str | None:
    """The sentence meant for people, on one line, free of control characters; None if none."""
    match body:
        case str(text):
            return clean(text)
        case {"detail": str(text)} | {"message": str(text)} | {"error": str(text)}:
            return clean(text)
        case {"errors": [*errors]}:
            return clean("; ".join(filter(None, map(_json_api_detail, errors))))
        case _:
            return None


def scim_type_of(body: Json) -> str | None:
    """The `scimType` of RFC 7644 table 9, or None."""
    match body:
        case {"scimType": str(text)}:
            return clean(text)
        case _:
            return None


def clean(text: str) -> str | None:
    """The text without control characters and runs of blanks, cut; None if nothing is left."""
    head = text[: 4 * MAX_DETAIL]
    printable = "".join(char if char.isprintable() else " " for char in head)
    return " ".join(printable.split())[:MAX_DETAIL] or None


def _json_api_detail(error: Json) -> str | None:
    """One entry of a JSON:API `errors` array; Rails applications send bare strings there too."""
    match error:
        case str(text) | {"detail": str(text)} | {"title": str(text)}:
            return text
        case _:
            return None
