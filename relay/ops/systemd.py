"""What systemd and the daemon tell each other; without systemd nothing here does anything.

How the daemon is (sd_notify(3)), how often systemd wants to hear it (sd_watchdog_enabled(3)), and
the sockets that systemd holds while the daemon is restarted (sd_listen_fds(3)).
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final

from relay.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

READY: Final = "READY=1"
_FIRST_FD: Final = 3  # SD_LISTEN_FDS_START
STOPPING: Final = "STOPPING=1"
WATCHDOG: Final = "WATCHDOG=1"
_WRONG_SOCKET: Final = (
    "LISTEN_FDS: cannot listen on descriptor {number}: {why}; "
    "give the .socket unit ListenStream= and Accept=no"
)


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


def inherited_sockets(environ: Mapping[str, str] = os.environ) -> list[socket.socket]:
    """The listening sockets that systemd opened for this process, in its order; none without it.

    `LISTEN_PID` names the process they are meant for; another process must leave them alone.

    Raises:
        SettingsError: what was handed over is not a listening stream socket.
    """
    count = environ.get("LISTEN_FDS", "")
    if not count.isdecimal() or environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    return [_listening(number) for number in range(_FIRST_FD, _FIRST_FD + int(count))]


def _listening(number: int) -> socket.socket:
    try:
        found = socket.socket(fileno=number)
        accepts = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise SettingsError([_WRONG_SOCKET.format(number=number, why=error.strerror)]) from None
    if found.type != socket.SOCK_STREAM or not accepts:
        found.detach()
        raise SettingsError([_WRONG_SOCKET.format(number=number, why="it does not listen")])
    found.set_inheritable(False)
    return found
