"""What the kernel knows of a process: memory and processor time."""

from __future__ import annotations

import os
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Process:
    """A running process."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")

    def _status_kb(self, key: str) -> int:
        return int((self._folder / "status").read_text().split(f"{key}:")[1].split()[0])

    @property
    def resident_mb(self) -> float:
        return round(self._status_kb("VmRSS") / 1024, 1)

    @property
    def peak_mb(self) -> float:
        return round(self._status_kb("VmHWM") / 1024, 1)

    @property
    def sockets(self) -> int:
        """Open descriptors that are sockets."""
        return sum(
            _leads_to(path).startswith("socket:") for path in (self._folder / "fd").iterdir()
        )

    @property
    def cpu_s(self) -> float:
        """User and system time of all its threads so far."""
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def _leads_to(path: Path) -> str:
    try:
        return str(path.readlink())
    except FileNotFoundError:  # closed meanwhile
        return ""
