"""A restart of the process behind a socket that its supervisor holds: nobody is refused."""

import asyncio
import gzip
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import aiohttp
import pytest
from support.idp import TOKEN
from support.relays import RelayProcess, until, write_config

UNITS = Path(__file__).resolve().parents[2] / "systemd"
FIRST_RELEASE = Path(__file__).parents[1] / "golden" / "0.1.db.gz"
SCRIPTS = UNITS.parent / ".venv" / "bin"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
NO_REUSE = {"force_close": True}


@pytest.fixture
def held():
    """A listening socket, as systemd holds it for scim-relay.socket."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        yield listener


class Caller:
    """Asks again and again, a new connection each time."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}/scim/v2/ServiceProviderConfig"
        self.answered = 0
        self.trouble = []
        self.ended = False

    async def run(self):
        connector = aiohttp.TCPConnector(**NO_REUSE)
        async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as session:
            while not self.ended:
                try:
                    async with session.get(self.url) as reply:
                        await reply.read()
                        if reply.status != 200:
                            self.trouble.append(reply.status)
                except (aiohttp.ClientError, OSError) as error:
                    self.trouble.append(repr(error))
                self.answered += 1
                await asyncio.sleep(0)


async def test_no_connection_is_refused_while_the_relay_is_restarted_behind_its_socket(
    unlimited, held, tmp_path
):
    config = write_config(unlimited, tmp_path)
    relay = RelayProcess(config, inherited=held.fileno())
    await relay.start()
    callers = [Caller(held.getsockname()[1]) for _ in range(4)]
    asking = [asyncio.ensure_future(caller.run()) for caller in callers]
    for _restart in range(3):
        before = [caller.answered for caller in callers]
        await until(lambda: all(c.answered > b + 20 for c, b in zip(callers, before, strict=True)))  # noqa: B023
        assert await relay.stop() == 0
        relay = RelayProcess(config, inherited=held.fileno())
        await relay.start()
    for caller in callers:
        caller.ended = True
    await asyncio.gather(*asking)
    assert await relay.stop() == 0

    assert [caller.trouble for caller in callers] == [[], [], [], []]
    ready = next(line for line in relay.lines if line.get("event") == "relay.ready")
    assert ready["address"] == f"127.0.0.1:{held.getsockname()[1]}"


async def test_a_request_waits_in_the_socket_while_a_database_is_migrated(
    unlimited, held, tmp_path
):
    (tmp_path / "relay.db").write_bytes(gzip.decompress(FIRST_RELEASE.read_bytes()))
    config = write_config(unlimited, tmp_path)
    asked = asyncio.create_task(one_request(held.getsockname()[1]))
    relay = RelayProcess(config, inherited=held.fileno())
    await relay.start()

    assert await asked == 200
    assert await relay.stop() == 0
    assert [copy.name for copy in tmp_path.glob("relay.db.before-*")] != []


async def one_request(port):
    url = f"http://127.0.0.1:{port}/scim/v2/ServiceProviderConfig"
    async with aiohttp.ClientSession(headers=HEADERS) as session, session.get(url) as reply:
        return reply.status


async def test_clear_text_on_an_inherited_public_socket_is_refused(unlimited, tmp_path):
    with socket.create_server(("0.0.0.0", 0)) as public:
        relay = RelayProcess(write_config(unlimited, tmp_path), inherited=public.fileno())
        with pytest.raises(AssertionError, match="clear text"):
            await relay.start()
        assert await relay.process.wait() == 2


@pytest.mark.skipif(shutil.which("systemd-socket-activate") is None, reason="no systemd here")
async def test_systemds_own_activator_hands_a_unix_socket_over(unlimited, tmp_path):
    path = tmp_path / "scim.sock"
    relay = RelayProcess(write_config(unlimited, tmp_path))
    process = await asyncio.create_subprocess_exec(
        "systemd-socket-activate", "--listen", str(path), "-E", "PYTHONPATH", *relay.command,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    await until(path.exists)
    connector = aiohttp.UnixConnector(str(path))
    async with (
        aiohttp.ClientSession(connector=connector, headers=HEADERS) as session,
        session.get("http://relay/scim/v2/ServiceProviderConfig") as reply,
    ):
        assert reply.status == 200
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    assert path.exists(), "the socket is its supervisor's to remove"


def backup_command():
    """What scim-relay-backup.service runs, as systemd would hand it to the shell."""
    text = (UNITS / "scim-relay-backup.service").read_text().replace("\\\n", " ")
    line = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    script = line.removeprefix("ExecStart=/bin/sh -euc ").strip().strip("'")
    return ["/bin/sh", "-euc", script.replace("%%", "%")]


async def test_the_backup_service_leaves_a_copy_that_verifies_and_removes_old_ones(
    unlimited, tmp_path
):
    state = tmp_path / "state"
    config = write_config(unlimited, tmp_path, store={"path": str(state / "relay.db")})
    relay = RelayProcess(config)
    await relay.start()
    old, young = (state / "backups" / name for name in ("relay-old.db", "relay-young.db"))
    old.parent.mkdir()
    for path in (old, young):
        path.write_text("a copy")
    os.utime(old, (0, 0))
    environ = {**os.environ, "STATE": str(state), "KEEP_DAYS": "14"}
    environ["PATH"] = f"{SCRIPTS}:{environ['PATH']}"
    done = await asyncio.to_thread(
        subprocess.run, backup_command(), env=environ, capture_output=True, text=True, check=False
    )
    assert await relay.stop() == 0

    assert done.returncode == 0, done.stdout + done.stderr
    assert "problems: -" in done.stdout
    copies = sorted(path.name for path in old.parent.iterdir())
    assert len(copies) == 2
    assert copies[0].startswith("relay-2")
    assert copies[1] == "relay-young.db"
