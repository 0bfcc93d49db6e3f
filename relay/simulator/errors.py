"""What the stand-in answers when it refuses: one exception with the parts of a SCIM error."""

from __future__ import annotations


class ScimError(Exception):
    """The request is refused and changes nothing (RFC 7644 section 3.12).

    The admin API refuses with it too, and renders status and detail as JSON:API.

    Attributes:
        status: the HTTP status.
        detail: what is wrong, for a person.
        scim_type: a `scimType` of RFC 7644 table 9, or None.
        headers: further headers of the answer, such as `Retry-After`.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        scim_type: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.scim_type = scim_type
        self.headers = headers or {}


def bad_value(detail: str) -> ScimError:
    """A 400 `invalidValue`: a value is missing, of the wrong type or not allowed."""
    return ScimError(400, detail, "invalidValue")


def bad_syntax(detail: str) -> ScimError:
    """A 400 `invalidSyntax`: the body's structure is not that of the message."""
    return ScimError(400, detail, "invalidSyntax")


def not_found(what: str, ident: str) -> ScimError:
    """A 404 naming what was looked for."""
    return ScimError(404, f"{what} {ident!r} not found")


def taken(attribute: str, value: str) -> ScimError:
    """A 409 `uniqueness` naming the attribute whose value another resource has."""
    return ScimError(409, f"{attribute} {value!r} is already taken", "uniqueness")
