"""kill -9 amid what takes long: a backup, an erasure, a migration, a salvage, an import.

strace kills the process at a chosen system call on a chosen file: no timing, no luck.
"""

import asyncio
import gzip
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from support.idp import Idp
from support.relays import RelayProcess, typed, until, write_config

from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.server import simulator

NEEDS_STRACE = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not installed (apt-get install strace)"
)
GOLDEN = Path(__file__).parents[1] / "golden" / "0.1.db.gz"
FAST = {"target": {"rate": 100}, "answer": {"wait": "0s"}}
CANARY = "canary.person@example.com"


def killing(file, call, when):
    """The words that kill what follows them at its `when`th `call` on a file."""
    watch = ("-P", str(file), "-e", f"trace={call}")
    inject = f"inject={call}:signal=SIGKILL:when={when}"
    return ("strace", "-f", "-qq", "-o", os.devnull, *watch, "-e", inject)


class Doomed(RelayProcess):
    """A relay that dies at a system call."""

    def __init__(self, config, file, call, when):
        super().__init__(config)
        self.fate = (*killing(file, call, when), "-D")

    @property
    def command(self):
        return (*self.fate, *super().command)

    async def ended(self):
        """Wait for its death."""
        await self.process.wait()
        await self._reading
        assert self.process.returncode == -signal.SIGKILL


def content(path):
    """What is in a file that the relay may remove meanwhile; nothing once it has."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


async def left(folder):
    """Files beside the database that are not its own, and whether each could be used."""
    own = {"relay.db", "relay.db-wal", "relay.db-shm", "relay.db.lock", "control.sock"}
    own |= {"relay.toml", "tfe-token"}
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in own)
    return {path.name: (await typed(None, "verify", str(path)))[0] == 0 for path in found}


async def people(relay, count, prefix="user"):
    async with Idp(relay.base) as idp:
        return [await idp.create_user(f"{prefix}{number}@x.org") for number in range(count)]


async def started(sim, folder, doom=None):
    config = write_config(sim, folder, **FAST)
    relay = RelayProcess(config) if doom is None else Doomed(config, *doom)
    await relay.start()
    await relay.imported()
    return relay


@NEEDS_STRACE
@pytest.mark.parametrize(("call", "when"), [("pwrite64", 1), ("pwrite64", 60), ("fsync", 1)])
async def test_a_backup_that_is_killed_is_none_and_the_next_one_is_whole(
    unlimited, tmp_path, call, when
):
    copy = tmp_path / "copy.db"
    relay = await started(unlimited, tmp_path, (f"{copy}.part", call, when))
    await people(relay, 5)
    assert (await typed(tmp_path, "backup", str(copy)))[0] == 3
    await relay.ended()
    assert {"copy.db.part": False}.items() <= (await left(tmp_path)).items()
    assert not copy.exists()

    again = await started(unlimited, tmp_path)
    await again.settled()
    assert (await typed(tmp_path, "backup", str(copy)))[0] == 0
    assert await again.stop() == 0
    assert await left(tmp_path) == {"copy.db": True}
    assert len(unlimited.directory.users) == 5


@NEEDS_STRACE
@pytest.mark.parametrize(
    ("file", "call", "when"),
    [
        ("relay.db.anew", "pwrite64", 100),
        ("relay.db.anew", "unlink", 2),
        ("relay.db-wal", "ftruncate", 1),
    ],
)
async def test_an_erasure_that_is_killed_is_finished_by_the_next_start(
    unlimited, tmp_path, file, call, when
):
    relay = await started(unlimited, tmp_path, (tmp_path / file, call, when))
    async with Idp(relay.base) as idp:
        await idp.delete(f"/Users/{await idp.create_user(CANARY)}")
    await people(relay, 5)
    await relay.settled()
    assert (await typed(tmp_path, "erase", CANARY, "--reason", "ticket 4711"))[0] == 3
    await relay.ended()

    def singing():
        return [path.name for path in tmp_path.glob("relay.db*") if b"canary" in content(path)]

    assert singing() != []
    again = await started(unlimited, tmp_path)
    await until(lambda: singing() == [])
    assert await again.stop() == 0
    assert await left(tmp_path) == {}
    assert (await typed(None, "verify", str(tmp_path / "relay.db")))[0] == 0


@NEEDS_STRACE
@pytest.mark.parametrize(
    ("file", "call", "when"),
    [
        ("relay.db.before-0005_undo.part", "pwrite64", 50),
        ("relay.db.before-0005_undo.part", "rename", 1),
        ("relay.db", "pwrite64", 1),
        ("relay.db-wal", "pwrite64", 5),
    ],
)
async def test_a_migration_that_is_killed_goes_on_and_its_copy_is_of_the_old_schema(
    unlimited, tmp_path, file, call, when
):
    (tmp_path / "relay.db").write_bytes(gzip.decompress(GOLDEN.read_bytes()))
    doomed = Doomed(write_config(unlimited, tmp_path, **FAST), tmp_path / file, call, when)
    with pytest.raises(AssertionError, match="the relay ended"):
        await doomed.start()
    assert await doomed.process.wait() == -signal.SIGKILL

    again = RelayProcess(write_config(unlimited, tmp_path, **FAST))
    await again.start()
    assert (await again.status())["changes"]["accepted"] == 10
    assert await again.stop() == 0
    assert await left(tmp_path) == {"relay.db.before-0005_undo": True}
    assert (await typed(None, "verify", str(tmp_path / "relay.db")))[0] == 0


@NEEDS_STRACE
@pytest.mark.parametrize(("call", "when"), [("pwrite64", 5), ("pwrite64", 70), ("rename", 1)])
async def test_a_salvage_that_is_killed_leaves_nothing_that_the_next_one_does_not_remove(
    unlimited, tmp_path, call, when
):
    relay = await started(unlimited, tmp_path)
    await people(relay, 20)
    await relay.settled()
    await relay.kill()
    saved = tmp_path / "saved.db"
    words = ("salvage", str(tmp_path / "relay.db"), "--into", str(saved))
    killed = await asyncio.create_subprocess_exec(
        *killing(f"{saved}.part", call, when), sys.executable, "-m", "relay", *words
    )
    assert await killed.wait() == -signal.SIGKILL
    assert not saved.exists()
    assert "saved.db.part" in await left(tmp_path)

    assert (await typed(None, *words))[0] == 0
    assert await left(tmp_path) == {"saved.db": True}


async def test_an_import_that_is_killed_again_and_again_goes_on_where_it_was(tmp_path):
    async with simulator(SimulatorSettings(limit=RateLimit(rate=0))) as sim:
        async with Idp(sim.url, sim.token) as tfe:
            for number in range(1_000):
                await tfe.create_user(f"user{number}@x.org")
        config = write_config(sim, tmp_path, target={"rate": 10}, answer={"wait": "0s"})
        known, began = {}, []
        for turn in range(3):
            relay = RelayProcess(config)
            await relay.start()
            await until(lambda relay=relay: progress(relay) != [])
            if turn:  # a third death over one change would park it (D6)
                async with Idp(relay.base) as idp:
                    known[f"new{turn}@x.org"] = await idp.create_user(f"new{turn}@x.org")
            began.append(progress(relay)[0])
            await relay.kill()
        relay = RelayProcess(config)
        await relay.start()
        await relay.imported()
        await relay.settled()
        async with Idp(relay.base) as idp:
            for name, ident in known.items():
                assert (await idp.get(f"/Users/{ident}")).body["userName"] == name
            assert (await idp.get("/Users?count=1")).body["totalResults"] == 1_002
        assert await relay.stop() == 0
        assert len(sim.directory.users) == 1_002
        assert began[0] < began[1]
    assert (await typed(None, "verify", str(tmp_path / "relay.db")))[0] == 0


def progress(relay):
    return [one["read"] for one in relay.lines if one.get("event") == "import.progressed"]
