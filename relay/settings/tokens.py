"""What the configuration says of identity providers' tokens: hash, label, end; never the token.

A parser raises `ValueError` and never repeats the value it was given (`relay.settings.kinds`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Final

from pydantic import BeforeValidator

_HASH: Final = re.compile(r"sha256:[0-9a-f]{64}")
LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_PRINTS: Final = "write what `scim-relay token new` prints"
_MOMENT: Final = 'write a date, "2027-06-30", or a moment, "2027-06-30T12:00:00Z"'


@dataclass(frozen=True, slots=True)
class InboundToken:
    """What is known of one token of an identity provider.

    Attributes:
        hash: `sha256:` and 64 hex digits.
        label: the operator's name for it, or empty.
        ends: when it is taken no more, in seconds since the epoch, or None.
    """

    hash: str
    label: str = ""
    ends: float | None = None

    def __str__(self) -> str:
        """As it stands in the configuration."""
        label = f" label={self.label}" if self.label else ""
        return f"{self.hash}{label}" + ("" if self.ends is None else f" expires={told(self.ends)}")


def parse_hashes(value: object) -> tuple[InboundToken, ...]:
    """One `sha256:...` or a list of them: several tokens may be live during a rotation."""
    hashes = (value,) if isinstance(value, str | InboundToken) else value
    if hashes == ("",):
        return ()
    if not isinstance(hashes, list | tuple):
        raise ValueError(f"not a hash; {_PRINTS}")  # noqa: TRY004 - pydantic's protocol
    return tuple(one if isinstance(one, InboundToken) else parse_token(one) for one in hashes)


def parse_token(value: object) -> InboundToken:
    """`sha256:...`, with `label=NAME` and `expires=2027-06-30` behind it or not."""
    digest, *rest = value.split() if isinstance(value, str) else [""]
    if not _HASH.fullmatch(digest):
        raise ValueError(f"not sha256: and 64 hexadecimal digits; {_PRINTS}")
    found: dict[str, str] = {}
    for word in rest:
        name, equals, text = word.partition("=")
        if name not in {"label", "expires"} or not equals or name in found:
            raise ValueError('more than a hash; write "sha256:... label=NAME expires=2027-06-30"')
        found[name] = text
    if "label" in found and not LABEL.fullmatch(found["label"]):
        raise ValueError("a label has letters, digits, `.`, `_`, `@` and `-`; name it shorter")
    return InboundToken(digest, found.get("label", ""), parse_moment(found.get("expires", "")))


def parse_moment(value: object) -> float | None:
    """A date (its first moment in UTC) or a moment, as seconds since the epoch; None for `""`."""
    if value is None or value == "":
        return None
    if isinstance(value, float | int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"not a moment; {_MOMENT}") from None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    raise ValueError(f"not a moment; {_MOMENT}")


def told(at: float) -> str:
    """Seconds since the epoch as RFC 3339 text in UTC; a date where it is the first of a day."""
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return text.removesuffix("T00:00:00Z")


TokenHashes = Annotated[tuple[InboundToken, ...], BeforeValidator(parse_hashes)]
OptionalMoment = Annotated[float | None, BeforeValidator(parse_moment)]
