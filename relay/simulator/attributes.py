"""Attributes out of a client's JSON, as strictly as the contract can be read.

A boolean is a JSON boolean and a string a JSON string: what an IdP spells otherwise, the relay has
to have translated, and a stand-in that guessed would hide that it had not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.simulator.errors import bad_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from relay.rules.types import Json


def text(value: Json, name: str) -> str:
    """A string with something in it; 400 otherwise."""
    if not isinstance(value, str) or not value.strip():
        raise bad_value(f"{name} must be a string that is not empty")
    return value


def optional_text(value: Json, name: str) -> str | None:
    """A string, or None for null and for the empty string; 400 otherwise."""
    if value is None or value == "":
        return None
    return text(value, name)


def boolean(value: Json, name: str) -> bool:
    """A JSON boolean; 400 for anything else, strings that look like one included."""
    if not isinstance(value, bool):
        raise bad_value(f"{name} must be a boolean")
    return value


def address(value: Json) -> str:
    """The one address TFE keeps of `emails`: the primary one, else the first; 400 if none."""
    if not isinstance(value, list) or not value:
        raise bad_value("emails must have at least one element")
    elements = [_email(element) for element in value]
    primary = [email for email, is_primary in elements if is_primary]
    return (primary or [email for email, _ in elements])[0]


def member_ids(value: Json) -> list[str]:
    """The ids of `members`: an array of objects with `value`; 400 otherwise."""
    if not isinstance(value, list):
        raise bad_value("members must be an array")
    return [_member(element) for element in value]


def present(body: Mapping[str, Json], name: str) -> bool:
    """Whether the body says anything about the attribute; null says nothing (RFC 7643 2.5)."""
    return body.get(name) is not None


def _email(element: Json) -> tuple[str, bool]:
    if not isinstance(element, dict):
        raise bad_value("each element of emails must be an object with a value")
    primary = element.get("primary")
    return text(element.get("value"), "emails.value"), (
        primary is not None and boolean(primary, "emails.primary")
    )


def _member(element: Json) -> str:
    if not isinstance(element, dict):
        raise bad_value("each element of members must be an object with a value")
    return text(element.get("value"), "members.value")
