"""A2: nothing acknowledged is lost on power cut: the log's sync precedes the first response byte.

The real server under strace: every moment of its files is rebuilt as a kill, a power cut and a torn
write would leave it, and whatever it had told anybody by then must be there. D1 for the power cut:
the attempt's row is synced before the request's first byte. Control: `synchronous=NORMAL` loses.
"""

import asyncio
import random
import re
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from instruments import unsynced
from instruments.syscalls import TRACED, Disk, Image, parsed
from support.idp import Idp, add, deactivate, group, user
from support.relays import RelayProcess, until, write_config

from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.server import simulator

CHANGE = re.compile(rb"^HTTP/1\.1 2\d\d .*?\r\nX-Change-Id: (\d+)\r\n", re.DOTALL | re.IGNORECASE)
ATTEMPT = re.compile(
    rb"^(?:POST|PATCH|PUT|DELETE) /.*?\r\nX-Request-Id: (\d+)\r\n", re.DOTALL | re.IGNORECASE
)
USERS = 12

pytestmark = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not installed (apt-get install strace)"
)


class TracedRelay(RelayProcess):
    """`scim-relay serve` under strace, which runs beside it: a kill hits the relay itself."""

    def __init__(self, config, log, program):
        super().__init__(config)
        self.log = log
        self.program = program

    @property
    def command(self):
        strace = ("strace", "-D", "-f", "-xx", "-s", "2000000", "-e", f"trace={TRACED}")
        serve = (sys.executable, *self.program, "serve", "--config", str(self.config))
        return (*strace, "-e", "signal=kill", "-o", str(self.log), *serve)


async def taken_up(idp):
    """Whether TFE has accepted the relay's token, before which no write is taken."""
    return (await idp.get("/Users?count=0")).status == 200


async def traced(folder, program):
    """Creates, a group, edits, revocations, all delivered; then kill -9. The calls, the answers."""
    log = folder / "strace.log"
    written = 0
    async with simulator(SimulatorSettings(limit=RateLimit(rate=0))) as sim:
        config = write_config(sim, folder, target={"rate": 100}, answer={"wait": "0s"})
        relay = TracedRelay(config, log, program)
        await relay.start()
        async with Idp(relay.base) as idp:
            await until(lambda: taken_up(idp))
            made = await asyncio.gather(
                *(idp.post("/Users", user(f"u{one}@example.com")) for one in range(USERS))
            )
            ids = [reply.body["id"] for reply in made]
            grouped = await idp.post("/Groups", group("all", *ids[:3]))
            replies = [
                *made,
                grouped,
                await idp.patch(f"/Groups/{grouped.body['id']}", add(ids[4])),
                await idp.patch(f"/Users/{ids[0]}", deactivate()),
                await idp.delete(f"/Users/{ids[1]}"),
            ]
            assert {reply.status for reply in replies} <= {200, 201, 204}
            written = len(replies)
            await until(lambda: len(sim.directory.users) == USERS - 1 and len(sim.directory.groups))
        await relay.kill()
    await until(lambda: "+++ killed by SIGKILL +++" in log.read_text()[-2000:])
    return log, written


def rows(folder, table):
    """The ids in a table of the database in `folder`; none where there is no such table yet."""
    if not (folder / "relay.db").exists():
        return set()
    with closing(sqlite3.connect(folder / "relay.db")) as left:
        assert left.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        if not left.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone():
            return set()
        return {ident for (ident,) in left.execute(f"SELECT id FROM {table}")}


class Losses:
    """What each image of each moment lacks of what had been told by then."""

    def __init__(self, folder, images, every=1):
        """`every`: of the moments at which nobody was told anything, one in so many is looked at."""
        self.images = images
        self.every = every
        self.moments = 0
        self.points = 0
        self.lost = dict.fromkeys(Image, 0)
        self.changes, self.attempts = set(), set()
        self._folder = folder
        self._chance = random.Random(7)

    def replay(self, log, folder):
        disk = Disk(folder)
        with log.open() as lines:
            for call in parsed(lines):
                if call.name == "sendto":
                    looks = self._told(call.data)
                else:
                    changed = disk.take(call) and call.name != "ftruncate"
                    self.moments += changed
                    looks = changed and self.moments % self.every == 0
                if looks:
                    self._look(disk)

    def _told(self, data):
        if found := CHANGE.match(data):
            self.changes.add(int(found[1]))
        elif found := ATTEMPT.match(data):
            self.attempts.add(int(found[1]))
        return found is not None

    def _look(self, disk):
        self.points += 1
        for image in self.images:
            with_image = self._folder / f"{self.points}"
            with_image.mkdir()
            disk.lay_out(image, with_image, self._chance)
            whole = rows(with_image, "change") >= self.changes
            whole = whole and rows(with_image, "attempt") >= self.attempts
            self.lost[image] += not whole
            shutil.rmtree(with_image)


@pytest.fixture
def memory():
    """A folder that is no disk: thousands of images are laid out in it."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)


async def replayed(folder, memory, images, program, every):
    """A traced run with every image of its moments looked at."""
    log, written = await traced(folder, program)
    losses = Losses(memory, images, every)
    losses.replay(log, folder)
    print(f"\n{losses.points} moments, lost: {losses.lost}")
    assert len(losses.changes) == written
    return losses


@pytest.mark.parametrize("every", [16, pytest.param(1, marks=pytest.mark.soak)])
async def test_what_was_told_is_on_disk_at_every_moment_of_a_real_server(tmp_path, memory, every):
    losses = await replayed(tmp_path, memory, tuple(Image), ("-m", "relay"), every)

    assert len(losses.attempts) >= USERS
    assert losses.points > 1000 / every
    assert losses.lost == dict.fromkeys(Image, 0)


@pytest.mark.parametrize("every", [16, pytest.param(1, marks=pytest.mark.soak)])
async def test_without_a_sync_before_each_answer_the_same_replay_sees_losses(
    tmp_path, memory, every
):
    images = (Image.KILL, Image.POWER_CUT)
    losses = await replayed(tmp_path, memory, images, (unsynced.__file__,), every)

    assert losses.lost[Image.KILL] == 0
    assert losses.lost[Image.POWER_CUT] > losses.points // 4
