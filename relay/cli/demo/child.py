"""The relay of the demo: `python -m relay serve` in a process of its own, so that it can be killed.

It is asked how it is doing over its control socket, as `scim-relay status` does.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

from relay.errors import RelayError
from relay.ops.client import ask
from relay.ops.errors import DaemonUnreachable
from relay.settings.base import ENV_PREFIX

if TYPE_CHECKING:
    from pathlib import Path

    from relay.simulator.server import Simulator

STOP_S: Final = 10.0
"""How long it may take to stop before it is killed."""


class DemoFailed(RelayError):
    """The demo cannot go on."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the relay stands, by its own account.

    Attributes:
        accepted: changes taken from the IdP.
        delivered: of these, settled at TFE.
        pending: of these, waiting.
        parked: of these, refused by TFE for good.
        holds: names of the holds that stand.
        imported: it has read what TFE held before.
    """

    accepted: int = 0
    delivered: int = 0
    pending: int = 0
    parked: int = 0
    holds: tuple[str, ...] = ()
    imported: bool = False


class RelayChild:
    """A relay in front of a stand-in, with all its files in one folder."""

    def __init__(self, folder: Path, sim: Simulator, rate: int) -> None:
        self.token: Final = secrets.token_urlsafe(24)
        self._folder = folder
        self._port = _free_port()
        self._process: asyncio.subprocess.Process | None = None
        _write(folder / "tfe-token", sim.token)
        _write(folder / "relay.toml", self._configuration(sim.url, rate))

    @property
    def base_url(self) -> str:
        """Where the IdP finds it; the same after a restart."""
        return f"http://127.0.0.1:{self._port}/scim/v2"

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start the process; its log goes to `relay.log` in the folder."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(ENV_PREFIX)}
        with (self._folder / "relay.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "relay", "serve"),
                *("--config", str(self._folder / "relay.toml")),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=kept,
            )

    async def kill(self) -> None:
        """End it as `kill -9` does: it cannot finish anything."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        """Ask it to end, and make sure."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        finally:
            await self.kill()

    async def standing(self) -> Standing | None:
        """How it stands; None while nobody answers.

        Raises:
            DemoFailed: the process ended by itself.
        """
        if self._process is not None and (self._process.returncode or 0) > 0:
            raise DemoFailed(
                f"cannot go on: the relay ended with exit code {self._process.returncode}; "
                f"its log ends: {self._end_of_log()}"
            )
        try:
            answer = await ask(self._folder / "control.sock", "status", {})
        except DaemonUnreachable:
            return None
        match answer:
            case {"changes": dict(changes), "holds": list(holds), "import": imported}:
                names = (hold.get("hold") for hold in holds if isinstance(hold, dict))
                return Standing(
                    **{name: _number(changes.get(name)) for name in _COUNTED},
                    holds=tuple(str(name) for name in names),
                    imported=imported == "complete",
                )
        return None

    def _end_of_log(self) -> str:
        lines = (self._folder / "relay.log").read_text(errors="replace").splitlines()
        return " / ".join(lines[-3:])

    def _configuration(self, url: str, rate: int) -> str:
        """As an operator would write it; the guard is off, since revocations are the point here."""
        digest = hashlib.sha256(self.token.encode()).hexdigest()
        tables: dict[str, dict[str, str | int]] = {
            "[connections]": {"name": "entra", "token_hash": f"sha256:{digest}"},
            "listen": {"address": f"127.0.0.1:{self._port}"},
            "target": {
                "url": url,
                "token_file": str(self._folder / "tfe-token"),
                "rate": rate,
            },
            "store": {"path": str(self._folder / "relay.db")},
            "guard": {"max_deactivations": 0, "max_deletions": 0, "max_removals": 0},
            "metrics": {"address": ""},
        }
        lines = []
        for table, keys in tables.items():
            lines.append(f"[{table}]")
            lines += [f"{key} = {orjson.dumps(value).decode()}" for key, value in keys.items()]
        return "\n".join(lines) + "\n"


_COUNTED: Final = ("accepted", "delivered", "pending", "parked")


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _write(path: Path, text: str) -> None:
    """A file that only this user can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def _free_port() -> int:
    """A port that is free now, so that the relay comes back where it was after its death."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
