"""Relays for tests: in this process (`relay_for`), or in one of their own (`RelayProcess`)."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson

from relay.app import Running, running
from relay.ops.client import ask
from relay.settings import load
from support.canaries import seen_in
from support.idp import TOKEN, Idp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from relay.settings import Settings
    from relay.simulator.server import Simulator


def write_config(
    sim: Simulator,
    folder: Path,
    port: int = 0,
    connections: tuple[dict[str, Any], ...] = (),
    **sections: dict[str, Any],
) -> Path:
    """A configuration for this simulator; `sections` override or add keys, e.g. `answer={...}`.

    Without `connections` there is one, `idp`, which `connection={...}` adds keys to.
    """
    token = folder / "tfe-token"
    if not token.exists():
        token.write_text(sim.token)
    tables: dict[str, dict[str, Any]] = {
        "listen": {"address": f"127.0.0.1:{port}"},
        "target": {"url": sim.url, "token_file": str(token)},
        "store": {"path": str(folder / "relay.db")},
        "metrics": {"address": ""},
    }
    for name, keys in sections.items():
        tables.setdefault(name, {}).update(keys)
    only = {"name": "idp", "token_hash": hash_of(TOKEN), **tables.pop("connection", {})}
    lines = []
    for connection in connections or (only,):
        lines += ["[[connections]]", *_keys(connection)]
    for name, keys in tables.items():
        lines += [f"[{name}]", *_keys(keys)]
    path = folder / "relay.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _keys(keys: dict[str, Any]) -> list[str]:
    return [f"{key} = {orjson.dumps(value).decode()}" for key, value in keys.items()]


def hash_of(token: str) -> str:
    return f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"


def settings_for(sim: Simulator, folder: Path, **sections: Any) -> Settings:
    return load(write_config(sim, folder, **sections))


class Relay:
    """A running relay with an IdP's client."""

    def __init__(self, parts: Running, idp: Idp, socket: Path) -> None:
        self.parts = parts
        self.idp = idp
        self._socket = socket

    async def status(self) -> dict[str, Any]:
        """What `scim-relay status --json` shows."""
        return await asked(self._socket, "status")

    @property
    def store(self) -> Any:
        return self.parts.store

    async def imported(self) -> None:
        await until(lambda: self.parts.importer.complete)

    async def settled(self, timeout_s: float = 30) -> None:
        """Wait until nothing is pending."""

        async def nothing() -> bool:
            return (await self.store.snapshot()).counters["pending"] == 0

        await until(nothing, timeout_s)

    async def held(self, name: str) -> None:
        """Wait until a hold stands."""
        await until(lambda: name in {hold.name.value for hold in self.parts.keeper.holds.standing})

    async def lifted(self, name: str) -> None:
        """Wait until a hold does not stand."""
        await until(
            lambda: name not in {hold.name.value for hold in self.parts.keeper.holds.standing}
        )

    async def free(self) -> None:
        """Wait until no hold stands."""
        await until(lambda: not self.parts.keeper.holds.standing)

    async def target_id(self, identifier: str) -> str | None:
        """TFE's id of the resource that any of its ids names; None while TFE does not have it."""

        def bound(tx: Any) -> Any:
            return tx.value(
                "SELECT target_id FROM resource"
                " WHERE id = (SELECT resource FROM alias WHERE id = ?)",
                (identifier,),
            )

        return await self.store.run(bound)

    async def counters(self) -> dict[str, int]:
        return dict((await self.store.snapshot()).counters)


@asynccontextmanager
async def relay_for(sim: Simulator, folder: Path, **sections: Any) -> AsyncIterator[Relay]:
    """A relay in this process, its import done."""
    settings = settings_for(sim, folder, **sections)
    async with (
        running(settings, config=folder / "relay.toml") as parts,
        Idp(f"http://127.0.0.1:{parts.port}{settings.listen.base_path}") as idp,
    ):
        relay = Relay(parts, idp, settings.control_socket)
        if not sim.access.paused:
            await relay.imported()
        yield relay


async def until(
    condition: Callable[[], bool] | Callable[[], Awaitable[bool]], timeout_s: float = 30
) -> None:
    """Wait for a condition of another task or process; fails by timeout."""
    async with asyncio.timeout(timeout_s):
        while True:
            found = condition()
            if (
                await found
                if isinstance(found, asyncio.Future) or hasattr(found, "__await__")
                else found
            ):
                return
            await asyncio.sleep(0.01)


async def asked(socket: Path, route: str, **arguments: Any) -> Any:
    """Ask the daemon on this control socket, as the commands do."""
    return await ask(socket, route, arguments)


async def typed(folder: Path | None, *words: str) -> tuple[int | None, str]:
    """Type `scim-relay`, with this folder's configuration; the exit code and what it printed."""
    config = () if folder is None else ("--config", str(folder / "relay.toml"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "relay", *words, *config),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert not seen_in(output), "a command printed a token (S1)"
    return process.returncode, output.decode()


class RelayProcess:
    """`scim-relay serve` as an operator runs it, in a process of its own."""

    def __init__(
        self, config: Path, environ: dict[str, str] | None = None, inherited: int | None = None
    ) -> None:
        """`environ` is added to the environment; `inherited` is a listening socket to hand over."""
        self.config = config
        self.environ = environ or {}
        self.inherited = inherited
        self.port = 0
        self.process: asyncio.subprocess.Process

    @property
    def command(self) -> tuple[str, ...]:
        serve = (sys.executable, "-m", "relay", "serve", "--config", str(self.config))
        if self.inherited is None:
            return serve
        # As systemd does: the socket is descriptor 3, and the environment names the process.
        take = f'exec 3<&{self.inherited}; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
        return ("/bin/bash", "-c", take, "-", *serve)

    async def start(self) -> None:
        """Start it and wait until it says where it listens."""
        self.process = await asyncio.create_subprocess_exec(
            *self.command,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self.environ},
            pass_fds=() if self.inherited is None else (self.inherited,),
        )
        self.lines: list[dict[str, Any]] = []
        assert self.process.stderr is not None
        async with asyncio.timeout(30):
            async for line in self.process.stderr:
                self._take(line)
                if b'"relay.ready"' in line:
                    break
            else:
                raise AssertionError(f"the relay ended: {self.lines}")
        self._reading = asyncio.ensure_future(self._read())

    def _take(self, line: bytes) -> None:
        assert not seen_in(line), "a token was logged (S1)"
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError:
            event = {"text": line.decode(errors="replace")}
        self.lines.append(event)
        if found := re.search(rb'"port":(\d+)', line):
            self.port = int(found[1])

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self._take(line)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/scim/v2"

    async def status(self) -> dict[str, Any]:
        """What `scim-relay status --json` shows."""
        return await asked(load(self.config).control_socket, "status")

    async def imported(self) -> None:
        """Wait until the directory holds all that TFE holds."""
        await until(lambda: any(one.get("event") == "import.completed" for one in self.lines))

    async def settled(self) -> None:
        """Wait until nothing is pending."""

        async def nothing() -> bool:
            return (await self.status())["changes"]["pending"] == 0

        await until(nothing)

    async def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        await self.process.wait()
        await self._reading

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal it and wait; its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        code = await self.process.wait()
        await self._reading
        return code
