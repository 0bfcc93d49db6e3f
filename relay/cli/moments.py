"""Points in time on the command line: so long ago (`90d`), or RFC 3339 (`2026-01-31T00:00:00Z`)."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

import click


class Moment(click.ParamType[float]):
    """A point in time; its value is in seconds since the epoch."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds since the epoch; fails with what would be right."""
        from relay.settings.kinds import parse_duration

        try:
            return time.time() - parse_duration(value).total_seconds()
        except ValueError:
            pass
        try:
            at = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(
                f"{value} is neither a span such as 90d nor a time such as 2026-01-31", param, ctx
            )
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


MOMENT: Final = Moment()
