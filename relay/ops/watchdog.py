"""Telling systemd that the daemon is alive, and not telling it when it is not (L10).

A blocked event loop cannot run this, a writer that hangs or died answers no pulse, and a delivery
that stands still is not `alive`: in each case the word does not come, and systemd starts the
daemon again (`WatchdogSec=`, `Restart=on-failure`).
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from relay.ops import systemd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


async def keep_watch(
    alive: Callable[[], bool],
    pulse: Callable[[], asyncio.Future[Any]],
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Send `WATCHDOG=1` twice in the time systemd waits, while all is alive; for ever.

    Args:
        alive: whether the parts make progress, as `/livez` says it.
        pulse: gives the store's writer something to do; done when the writer did it.
        environ: where systemd says whether it watches. If it does not, this ends at once.
    """
    interval_s = systemd.watchdog_interval_s(environ)
    while interval_s is not None:
        beat = pulse()
        await asyncio.wait([beat])
        beat.exception()  # a disk that takes nothing is told elsewhere: the writer answered
        if alive():
            systemd.notify(systemd.WATCHDOG, environ)
        await asyncio.sleep(interval_s)
