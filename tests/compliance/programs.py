"""Running somebody else's program beside a relay in this process."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_S = 120


@dataclass(frozen=True)
class Outcome:
    """How a program ended."""

    code: int | None
    output: str
    errors: str


async def run(program: Path, *words: str, folder: Path, **environment: str) -> Outcome:
    """Run it to its end; its process does not outlive this call."""
    process = await asyncio.create_subprocess_exec(
        str(program),
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env=clean_environment() | environment,
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Outcome(process.returncode, output.decode(), errors.decode())


def clean_environment() -> dict[str, str]:
    """This process's environment without what belongs to its own Python."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
