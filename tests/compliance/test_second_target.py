"""A target that is not ours: the relay brings scim2-server to the state of the stand-in for TFE.

Every recorded request goes to two relays, one in front of each. Were the stand-in wrong in the way
the relay is wrong, the two would differ here.
"""

import asyncio
import json
import signal
import socket
from contextlib import asynccontextmanager
from types import SimpleNamespace

import aiohttp
import pytest
from held import by_resources, by_server, by_tfe
from programs import clean_environment
from support.idp import Idp
from support.recorded import FILES, Sender, accepted_statuses, lines_of
from support.relays import relay_for, until

pytestmark = [pytest.mark.compliance, pytest.mark.timeout(600)]
TARGET_TOKEN = "token-of-the-second-target"
MADE_UP = "{userName}@users.noreply.example.com"
SECTIONS = {"target": {"rate": 100}, "users": {"missing_address": MADE_UP}}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def listens(port):
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


class SecondTarget:
    """scim2-server in a process of its own; it writes its state down when it ends."""

    def __init__(self, process, port, dump):
        self.process = process
        self.dump = dump
        self.url = f"http://127.0.0.1:{port}/v2"
        self.token = TARGET_TOKEN
        self.access = SimpleNamespace(paused=False)

    async def state_dump(self):
        """End it and read what it wrote."""
        self.process.send_signal(signal.SIGINT)
        await self.process.wait()
        return json.loads(self.dump.read_text())


@asynccontextmanager
async def second_target(program, folder):
    port, dump = free_port(), folder / "dump.json"
    process = await asyncio.create_subprocess_exec(
        *(str(program), "--port", str(port), "--bearer-token", TARGET_TOKEN),
        *("--dump-resources", str(dump)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=clean_environment(),
        # A shell in the background has its children ignore it: the server would never end.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        await until(lambda: listens(port))
        yield SecondTarget(process, port, dump)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_after_each_recorded_request_both_targets_hold_the_same(
    path, scim2_server, sim, tmp_path
):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    async with (
        second_target(scim2_server, theirs) as target,
        relay_for(sim, ours, **SECTIONS) as left,
        relay_for(target, theirs, **SECTIONS) as right,
        Idp(target.url, TARGET_TOKEN) as reader,
        aiohttp.ClientSession() as session,
    ):
        senders = [
            Sender(relay, sim, session, f"http://127.0.0.1:{relay.parts.port}/scim/v2")
            for relay in (left, right)
        ]
        most = 0
        for line in lines_of(path):
            for sender in senders:
                reply = await sender.send(line)
                assert reply.status in accepted_statuses(line), (line["name"], reply)
            if line["method"] == "GET":
                continue
            await asyncio.gather(left.settled(), right.settled())
            held = by_tfe(sim)
            assert await by_server(reader) == held, line["name"]
            most = max(most, len(held[0]))
        counters = await right.counters()
        dumped = by_resources(await target.state_dump())

    assert dumped == held
    assert most > 0
    assert (counters["parked"], counters["refused"]) == (0, 0)
