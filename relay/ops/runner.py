"""How both servers for operators and their machines run: silence and a stop have deadlines."""

from __future__ import annotations

from typing import Final

from aiohttp import web

KEEPALIVE_S: Final = 15.0
"""Silent connections are closed: whoever leaves them open uses up no descriptors of the front's."""
HEAD_S: Final = 10.0
"""A client of the health server has this long for a request's head, as `listen.header_deadline`."""
END_S: Final = 5.0
"""At a stop what is under way is given this long, and once more after it was cancelled."""


def runner_of(app: web.Application) -> web.AppRunner:
    """What serves an application of operators'."""
    return web.AppRunner(
        app, access_log=None, keepalive_timeout=KEEPALIVE_S, shutdown_timeout=END_S
    )
