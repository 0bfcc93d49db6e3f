"""Reads `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date in any of three formats.

Carries D10: the header wins over any back-off of ours, in both forms, and is clamped if absurd.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

MAX_S: Final = 3600.0
"""Longest wait obeyed without asking again; longer ones become one probe an hour (DESIGN)."""

_SECONDS: Final = re.compile(r"[0-9]+(\.[0-9]+)?")


def parse(header: str | None, now_wall: float) -> float | None:
    """How many seconds to wait, at most `MAX_S`; None if the header does not say.

    Args:
        header: the field's value, or None if there was no such field.
        now_wall: seconds since the epoch by the sender's clock, best taken from its `Date`.

    None is also the answer to zero, a negative number, a date in the past and to garbage: the
    caller then starts at one second and doubles.
    """
    if header is None:
        return None
    text = header.strip()
    seconds = float(text) if _SECONDS.fullmatch(text) else _until(text, now_wall)
    if seconds is None or seconds <= 0:
        return None
    return min(seconds, MAX_S)


def date_s(header: str | None) -> float | None:
    """An HTTP-date (RFC 9110 section 5.6.7) as seconds since the epoch; None if it is none."""
    if header is None:
        return None
    try:
        moment = parsedate_to_datetime(header)
        return _in_utc(moment).timestamp()
    except (ValueError, OverflowError):
        return None


def _in_utc(moment: datetime) -> datetime:
    """The asctime format names no zone; HTTP-dates are UTC by definition."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _until(header: str, now_wall: float) -> float | None:
    """Seconds from now to the date; None if it is no date."""
    moment = date_s(header)
    return None if moment is None else moment - now_wall
