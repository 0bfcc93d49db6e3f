"""Running somebody else's program beside a relay in this process."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
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


@asynccontextmanager
async def conversation(program: Path, *words: str, folder: Path) -> AsyncIterator[Conversation]:
    """A program that answers each line with a line; ended with the block."""
    process = await asyncio.create_subprocess_exec(
        str(program),
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=folder,
        env=clean_environment(),
    )
    try:
        yield Conversation(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class Conversation:
    """Lines of JSON to a program and back."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, **said: Any) -> Any:
        """Say one thing and wait for what the program answers."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(said).encode() + b"\n")
        async with asyncio.timeout(LIMIT_S):
            line = await self._process.stdout.readline()
        assert line, f"the program ended over {said}"
        return json.loads(line)


def clean_environment() -> dict[str, str]:
    """This process's environment without what belongs to its own Python."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
