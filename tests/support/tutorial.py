"""The tutorial as one script of a shell, its ports replaced by free ones."""

from __future__ import annotations

import asyncio
import os
import re
from typing import TYPE_CHECKING

from support.pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGE = ROOT / "docs" / "tutorial.md"
PORTS = ("8181", "8080", "9464")
INSTALLS = "scim-tutorial/venv"


def lines(free_port: Callable[[], int]) -> list[str]:
    """Every line that a reader types."""
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    script = "".join(blocks)
    for port in PORTS:
        script = script.replace(port, str(free_port()))
    return script.splitlines()


async def type_into_a_shell(
    typed: list[str], folder: Path, path: str, timeout_s: float
) -> tuple[int | None, str]:
    """Type all of it; the exit code and what was shown. The first command that fails ends it."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", "\n".join(["set -eu -o pipefail", *typed])),
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), timeout_s)
    log = folder / "scim-tutorial" / "relay.log"
    return process.returncode, output.decode() + (log.read_text() if log.exists() else "")
