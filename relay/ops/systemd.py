"""Telling systemd how the daemon is (sd_notify(3)); without systemd it does nothing."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
WATCHDOG: Final = "WATCHDOG=1"


def notify(state: str, environ: Mapping[str, str] = os.environ) -> None:
    """Send one state to the socket systemd named; an abstract one begins with `@`."""
    if not (name := environ.get("NOTIFY_SOCKET")):
        return
    address = f"\0{name[1:]}" if name.startswith("@") else name
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.sendto(state.encode(), address)


def watchdog_interval_s(environ: Mapping[str, str] = os.environ) -> float | None:
    """How often to send `WATCHDOG`, half of what systemd waits; None if it does not watch.

    `WATCHDOG_PID` names the process that is watched; another process must stay silent.
    """
    microseconds = environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or environ.get("WATCHDOG_PID", str(os.getpid())) != str(
        os.getpid()
    ):
        return None
    return int(microseconds) / 2_000_000 or None
