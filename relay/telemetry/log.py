"""Logging: one JSON object a line for machines, or coloured lines for a person at a terminal.

Events and their fields stand in `relay.telemetry.events`. Secrets do not reach a line (S1): a
`Secret` renders as `***`, fields named like one are masked whatever they hold, and tracebacks
are rendered without local variables (P7).
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO, cast

import orjson
import structlog
from structlog.tracebacks import ExceptionDictTransformer

from relay.telemetry.recent import RECENT

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from structlog.typing import FilteringBoundLogger, Processor

Format = Literal["auto", "json", "console"]
_SECRETIVE: Final = frozenset({"token", "authorization", "password", "secret", "credential"})
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def mask(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replaces fields that are named like a secret, in nested tables too."""
    return {name: _masked(name, value) for name, value in event.items()}


def configure(
    level: str = "info",
    form: Format = "auto",
    stream: TextIO | None = None,
    *,
    remember: bool = False,
) -> None:
    """Set logging up for the whole process; called once, by `app` or a command.

    Args:
        level: the least that is written: debug, info, warning, error.
        form: json, console, or auto: console if `stream` is a terminal.
        stream: where lines go; standard error unless told.
        remember: keep the last lines for a support bundle (`relay.telemetry.recent`).
    """
    out = sys.stderr if stream is None else stream
    console = form == "console" or (form == "auto" and out.isatty())
    structlog.configure(
        processors=_processors(console=console, remember=remember),
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=_factory(out, console=console),
        cache_logger_on_first_use=stream is None,
    )
    _quieten_libraries()


def get_logger(component: str) -> FilteringBoundLogger:
    """A logger that says which part of the relay speaks."""
    return cast("FilteringBoundLogger", structlog.get_logger(component=component))


def _masked(name: str, value: object) -> object:
    if any(word in name.lower() for word in _SECRETIVE):
        return "***"
    if isinstance(value, dict):
        return {key: _masked(str(key), inner) for key, inner in value.items()}
    return value


def _processors(*, console: bool, remember: bool) -> list[Processor]:
    keeping: list[Processor] = [RECENT] if remember else []
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask,
    ]
    if console:
        plain = structlog.dev.plain_traceback
        return [*shared, *keeping, structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    frames = ExceptionDictTransformer(show_locals=False, max_frames=20)
    return [
        *shared,
        structlog.processors.ExceptionRenderer(frames),
        *keeping,
        structlog.processors.JSONRenderer(serializer=_dumps),
    ]


def _dumps(event: object, **_options: object) -> bytes:
    """JSON; what JSON has no form for (a path, a `Secret`) by its `str`."""
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS)


def _factory(out: TextIO, *, console: bool) -> Any:
    if console:
        return structlog.WriteLoggerFactory(out)
    return structlog.BytesLoggerFactory(out.buffer)


def _quieten_libraries() -> None:
    """Libraries speak through `logging`: their warnings and errors go the same way."""
    root = logging.getLogger()
    root.handlers[:] = [_Forward()]
    root.setLevel(logging.WARNING)


class _Forward(logging.Handler):
    """Hands a library's record to structlog; its message only, never its arguments apart."""

    def emit(self, record: logging.LogRecord) -> None:
        """One record as one event."""
        log = structlog.get_logger(component=record.name)
        level = "error" if record.levelno >= logging.ERROR else "warning"
        getattr(log, level)(record.getMessage(), exc_info=record.exc_info or None)
