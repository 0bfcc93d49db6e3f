"""A systemd that is process 1: of namespaces of its own, which end with the test.

It has this machine's programs and network, and what it writes to /etc, /opt, /var and /run goes
away with it. It knows no units but those it is given, and the targets that services hang on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.relays import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SYSTEMD = Path("/usr/lib/systemd/systemd")
TARGETS = [
    "basic",
    "lab",
    "local-fs",
    "multi-user",
    "network-online",
    "paths",
    "shutdown",
    "slices",
    "sockets",
    "sysinit",
    "timers",
]
BOOT = r"""
set -e
mount --make-rprivate /
mount -t tmpfs none /run
mount -t cgroup2 none /sys/fs/cgroup
for folder in etc opt var; do
  mkdir -p /run/over/$folder /run/work/$folder
  mount -t overlay overlay -o lowerdir=/$folder,upperdir=/run/over/$folder,workdir=/run/work/$folder /$folder
done
mkdir -p /run/systemd/system /opt/tfe-scim-relay /etc/scim-relay
mount -t tmpfs none /opt/tfe-scim-relay
cp -a "$PREFIX/." /opt/tfe-scim-relay
sed -i "1s|.*|#!/opt/tfe-scim-relay/bin/python|" /opt/tfe-scim-relay/bin/scim-relay
cp -r "$GIVEN/units/." /run/systemd/system
install -m 0644 "$GIVEN/relay.toml" /etc/scim-relay/relay.toml
install -m 0600 "$GIVEN/tfe-token" /etc/scim-relay/tfe-scim-token
for target in $TARGETS; do
  printf '[Unit]\nDescription=%s\n' "$target" > "/run/systemd/system/$target.target"
done
# As at a real boot: what is mounted for one unit's credentials is seen by that unit.
mount --make-rshared /
export container=test SYSTEMD_UNIT_PATH=/run/systemd/system
exec "$SYSTEMD" --system --unit=lab.target --log-target=console --show-status=0
"""


class Machine:
    """A running systemd, and what may be asked of it."""

    def __init__(self, pid: int) -> None:
        self._inside = ("nsenter", "--target", str(pid), "--mount", "--pid", "--cgroup", "--")

    async def run(self, *words: str) -> tuple[int | None, str]:
        """A command inside; its exit code and what it printed."""
        process = await asyncio.create_subprocess_exec(
            *self._inside, *words,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode, output.decode()

    async def ctl(self, *words: str) -> str:
        """A `systemctl` that succeeds."""
        code, shown = await self.run("systemctl", *words)
        assert code == 0, shown
        return shown

    async def shows(self, unit: str, *properties: str) -> dict[str, str]:
        """Properties of a unit."""
        names = [f"--property={name}" for name in properties]
        lines = (await self.ctl("show", unit, *names)).splitlines()
        return dict(line.split("=", 1) for line in lines)


def _hierarchy() -> Path:
    """Where cgroup2 is mounted; the test is skipped where a systemd cannot be started."""
    if os.geteuid() != 0 or not SYSTEMD.exists() or not all(map(shutil.which, _NEEDED)):
        pytest.skip("needs root, systemd and the means to give it namespaces")
    found = re.search(
        r"^\S+ (\S+) cgroup2 \S*rw", Path("/proc/self/mounts").read_text(), re.MULTILINE
    )
    if found is None:
        pytest.skip("needs cgroup2")
    return Path(found[1])


_NEEDED = ("unshare", "nsenter", "systemctl")


@contextlib.asynccontextmanager
async def machine(given: Path, prefix: Path) -> AsyncIterator[Machine]:
    """Boot with the units and files of a folder and the program of a prefix.

    Args:
        given: `units/`, `relay.toml` and `tfe-token`; what systemd says goes to `console`.
        prefix: what is to be at `/opt/tfe-scim-relay`.
    """
    group = _hierarchy() / f"scim-relay-test-{os.getpid()}"
    group.mkdir()
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", 'echo $$ > "$0/cgroup.procs"; exec "$@" > "$GIVEN/console" 2>&1', str(group)),
        *("unshare", "--pid", "--fork", "--kill-child", "--mount", "--uts", "--ipc", "--cgroup"),
        *("--mount-proc", "sh", "-c", BOOT),
        env={
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "GIVEN": str(given), "PREFIX": str(prefix),
            "SYSTEMD": str(SYSTEMD), "TARGETS": " ".join(TARGETS),
        },
    )  # fmt: skip
    try:
        yield await _booted(process, given / "console")
    finally:
        process.kill()
        await process.wait()
        await until(lambda: _cleared(group))


async def _booted(process: asyncio.subprocess.Process, console: Path) -> Machine:
    """The machine, once it has reached its target."""

    async def reached() -> bool:
        assert process.returncode is None, _read(console)
        pids = _read(children).split()
        if not pids:
            return False
        return await Machine(int(pids[0])).run("systemctl", "is-active", "lab.target") == (
            0,
            "active\n",
        )

    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    await until(reached, 60)
    return Machine(int(_read(children)))


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _cleared(group: Path) -> bool:
    """Everything in it was killed; the folders go once the kernel has noticed."""
    for folder, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()
    return not group.exists()
