"""Identity providers' tokens as operators see them: label, last use, end; never token or hash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.settings.tokens import told

if TYPE_CHECKING:
    from relay.front.auth import TokenTable
    from relay.rules.types import Json, JsonObject


DAY_S: Final = 86_400.0


def tokens_told(tokens: TokenTable, now: float) -> list[JsonObject]:
    """Every token: whose, its label or its place in the list, when it was last used and ends."""
    rows: list[JsonObject] = []
    for connection in tokens.connections:
        mine = [one for one in tokens.tokens if one.connection is connection]
        rows += [
            {
                "connection": connection.name,
                "token": one.known.label or f"#{place}",
                "last_used": _moment(one.last_used),
                "ends": _moment(one.known.ends),
                "days_left": _days(one.known.ends, now),
            }
            for place, one in enumerate(mine, start=1)
        ]
    return rows


def _moment(at: float | None) -> Json:
    return None if at is None else told(at)


def _days(ends: float | None, now: float) -> Json:
    return None if ends is None else round((ends - now) / DAY_S, 1)
