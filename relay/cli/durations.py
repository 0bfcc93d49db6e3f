"""Spans of time on the command line, written as in the configuration: `90s`, `15m`, `2h`, `1d`."""

from __future__ import annotations

from typing import Final

import click


class Duration(click.ParamType[float]):
    """A span of time; its value is in seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds; fails with what would be right."""
        from relay.settings.kinds import parse_duration

        try:
            return parse_duration(value).total_seconds()
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION: Final = Duration()
