"""L1: the daemon as a process: told to stop it drains and leaves, told twice it leaves at once."""

import asyncio
import gzip
import os
import random
import shutil
import signal
from pathlib import Path

import aiohttp
import pytest
from support.idp import Idp, deactivate, user
from support.relays import RelayProcess, relay_for, until, write_config

from relay.daemon import supervision
from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.faults import Fault, FaultKind, Match
from relay.simulator.server import simulator

LOST = (aiohttp.ClientError, OSError, TimeoutError)


@pytest.fixture
async def sim():
    async with simulator(SimulatorSettings(limit=RateLimit(rate=0))) as sim:
        yield sim


class Creator:
    """Creates users one after another, repeating what was not answered, as an IdP does."""

    def __init__(self, port, number, count):
        self.base = f"http://127.0.0.1:{port}/scim/v2"
        self.names = [f"c{number}-{one}@example.com" for one in range(count)]
        self.acknowledged = {}

    async def run(self):
        for name in self.names:
            while name not in self.acknowledged:
                try:
                    async with Idp(self.base) as idp:
                        await self.once(idp, name)
                except LOST:
                    await asyncio.sleep(0.02)

    async def once(self, idp, name):
        reply = await idp.post("/Users", user(name))
        if reply.status == 201:
            self.acknowledged[name] = reply.body["id"]
        elif reply.status == 409:  # the answer was lost after it was written
            found = await idp.find("Users", f'userName eq "{name}"')
            self.acknowledged[name] = found.body["Resources"][0]["id"]
        else:
            assert reply.status == 503, reply
            await asyncio.sleep(0.02)


async def started(sim, folder, port=0, **sections):
    relay = RelayProcess(write_config(sim, folder, port, **sections))
    await relay.start()
    return relay


async def killed_under_load(sim, folder, kills, seed):
    chance = random.Random(seed)
    relay = await started(sim, folder, target={"rate": 100}, answer={"wait": "0s"})
    port = relay.port
    creators = [Creator(port, number, 10 * kills) for number in range(4)]
    running = asyncio.gather(*(creator.run() for creator in creators))
    for _ in range(kills):
        await asyncio.sleep(chance.uniform(0.05, 0.8))
        await relay.kill()
        relay = await started(sim, folder, port, target={"rate": 100}, answer={"wait": "0s"})
    await running
    acknowledged = {}
    for creator in creators:
        acknowledged.update(creator.acknowledged)
    await until(lambda: len(sim.directory.users) >= len(acknowledged), 120)
    async with Idp(relay.base) as idp:
        for name, identifier in acknowledged.items():
            assert (await idp.get(f"/Users/{identifier}")).body["userName"] == name
    assert await relay.stop() == 0
    names = sorted(one.fields.user_name for one in sim.directory.users)
    assert names == sorted(acknowledged)
    return len(acknowledged)


async def test_nothing_acknowledged_is_lost_or_doubled_by_kill_9_under_load(sim, tmp_path):
    await killed_under_load(sim, tmp_path, kills=5, seed=1)


@pytest.mark.soak
async def test_nothing_acknowledged_is_lost_or_doubled_by_fifty_kills(sim, tmp_path):
    acknowledged = await killed_under_load(sim, tmp_path, kills=50, seed=2)
    print(f"\n50 kills -9: {acknowledged} acknowledged users, all of them at TFE, each once")


async def test_sigterm_drains_and_leaves_with_zero(sim, tmp_path):
    relay = await started(sim, tmp_path, target={"rate": 100}, answer={"wait": "0s"})
    creator = Creator(relay.port, 0, 20)
    await creator.run()
    async with Idp(relay.base) as idp:
        await idp.patch(f"/Users/{creator.acknowledged[creator.names[0]]}", deactivate())

    assert await relay.stop(signal.SIGTERM) == 0

    again = await started(sim, tmp_path, target={"rate": 100})
    await until(lambda: len(sim.directory.users) == 20)
    [first] = sim.directory.users.named(creator.names[0])
    await until(lambda: not sim.directory.user(first.stamp.id).fields.active)
    assert await again.stop() == 0


async def test_a_stop_waits_for_the_answer_to_what_is_under_way(sim, tmp_path):
    sim.faults.add(Fault(kind=FaultKind.SLOW_AFTER, delay_s=1.0), Match(method="POST", count=1))
    async with relay_for(sim, tmp_path, answer={"wait": "0s"}) as relay:
        await relay.idp.create_user("ada@example.com")
        await until(lambda: any(entry.method == "POST" for entry in sim.log.entries()))
        assert (await relay.counters())["pending"] == 1
    sim.log.clear()
    async with relay_for(sim, tmp_path, answer={"wait": "0s"}) as relay:
        assert (await relay.counters())["delivered"] == 1
    assert not [entry for entry in sim.log.entries() if entry.path.startswith("/Users/")]


@pytest.mark.parametrize("kind", [FaultKind.SLOW_BEFORE, FaultKind.SLOW_AFTER])
@pytest.mark.parametrize("again", [None, signal.SIGTERM, signal.SIGINT])
async def test_whatever_is_under_way_is_done_once_however_the_relay_is_told_to_stop(
    sim, tmp_path, kind, again
):
    """Before TFE did it and after; told once, or twice by either signal; of every kind."""
    relay = await started(sim, tmp_path, target={"rate": 100}, answer={"wait": "0s"})
    creator = Creator(relay.port, 0, 2)
    await creator.run()
    await relay.settled()
    first, second = creator.acknowledged.values()
    rules = [
        sim.faults.add(Fault(kind=kind, delay_s=1.0), Match(method=method))
        for method in ("POST", "PATCH", "DELETE")
    ]
    async with Idp(relay.base) as idp:
        await idp.create_user("new@example.com")
        await idp.patch(f"/Users/{first}", deactivate())
        await idp.delete(f"/Users/{second}")
    await until(lambda: all(rule.met for rule in rules))
    relay.process.send_signal(signal.SIGTERM)
    await until(lambda: any(one.get("event") == "relay.stopping" for one in relay.lines))
    if again is None:
        assert await relay.process.wait() == 0
    else:
        assert await relay.stop(again) == 1

    relay = await started(sim, tmp_path, target={"rate": 100})
    await relay.settled()
    found = {one.fields.user_name: one.fields.active for one in sim.directory.users}
    assert found == {creator.names[0]: False, "new@example.com": True}
    counted = (await relay.status())["changes"]
    assert (counted["accepted"], counted["delivered"]) == (5, 5)
    assert await relay.stop() == 0


async def test_a_bad_configuration_leaves_with_two_and_names_the_key(sim, tmp_path):
    config = write_config(sim, tmp_path, target={"rat": 9})
    relay = RelayProcess(config)
    process = await asyncio.create_subprocess_exec(*relay.command, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()

    assert process.returncode == 2
    assert b"target.rat" in said
    assert b"rate" in said


async def test_a_second_signal_leaves_at_once_and_nothing_is_lost(sim, tmp_path):
    slow = Fault(kind=FaultKind.SLOW_AFTER, delay_s=15.0)
    rule = sim.faults.add(slow, Match(method="POST", count=None))
    relay = await started(sim, tmp_path, answer={"wait": "0s"})
    creator = Creator(relay.port, 0, 3)
    await creator.run()
    await until(lambda: any(entry.method == "POST" for entry in sim.log.entries()))
    relay.process.send_signal(signal.SIGTERM)
    await until(lambda: any(one.get("event") == "relay.stopping" for one in relay.lines))
    assert relay.process.returncode is None  # it waits for what is under way
    assert await relay.stop(signal.SIGTERM) == 1

    sim.faults.remove(rule.ident)
    again = await started(sim, tmp_path, target={"rate": 100})
    await until(lambda: len(sim.directory.users) == 3)
    assert sorted(one.fields.user_name for one in sim.directory.users) == creator.names
    assert await again.stop() == 0


async def test_stops_that_did_not_wait_for_an_answer_are_no_deaths_of_its_change(
    sim, tmp_path, monkeypatch
):
    monkeypatch.setattr(supervision, "DRAIN_S", 0.1)
    async with relay_for(sim, tmp_path, answer={"wait": "0s"}) as relay:
        ada = await relay.idp.create_user("ada@example.com")
        await relay.settled()
    slow = Fault(kind=FaultKind.SLOW_BEFORE, delay_s=30.0)
    rule = sim.faults.add(slow, Match(method="PATCH", count=None))
    sim.log.clear()
    for stop in range(1, 5):
        async with relay_for(sim, tmp_path, answer={"wait": "0s"}) as relay:
            if stop == 1:
                edit = {"op": "replace", "value": {"externalId": "e-1"}}
                await relay.idp.patch(f"/Users/{ada}", edit)
            await until(lambda: _patches(sim) == stop)  # noqa: B023 - awaited here
    sim.faults.remove(rule.ident)

    async with relay_for(sim, tmp_path, answer={"wait": "0s"}) as relay:
        await relay.settled()
        assert (await relay.counters())["parked"] == 0
    [found] = sim.directory.users.named("ada@example.com")
    assert found.fields.external_id == "e-1"


def _patches(sim):
    return sum(entry.method == "PATCH" for entry in sim.log.entries())


# --- during the start ------------------------------------------------------------------------


def said(relay):
    return [one.get("event") for one in relay.lines]


class FullDisk(RelayProcess):
    """A relay whose files may not grow past a few kilobytes."""

    @property
    def command(self):
        return ("/bin/bash", "-c", 'ulimit -f 4; exec "$@"', "-", *super().command)


async def test_sigterm_ends_a_start_that_waits_for_a_full_disk(sim, tmp_path):
    assert await (await started(sim, tmp_path)).stop() == 0
    relay = FullDisk(tmp_path / "relay.toml")
    starting = asyncio.ensure_future(relay.start())
    await until(lambda: "store.trouble" in said(relay) if hasattr(relay, "lines") else False)
    relay.process.send_signal(signal.SIGTERM)
    with pytest.raises(AssertionError, match=r"relay\.stopped"):
        await starting
    assert await relay.process.wait() == 0


class Slow(RelayProcess):
    """A relay for which one file is synced a minute after it was asked for."""

    @property
    def command(self):
        part = self.config.parent / "relay.db.before-0005_undo.part"
        minute = ("-e", "inject=fsync:delay_enter=60000000")
        watch = ("-P", str(part), "-e", "trace=fsync", *minute)
        return ("strace", "-D", "-f", "-qq", "-o", os.devnull, *watch, *super().command)


@pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not installed (apt-get install strace)"
)
async def test_a_migration_hears_signals_and_the_second_leaves_at_once(sim, tmp_path):
    golden = Path(__file__).parents[1] / "golden" / "0.1.db.gz"
    (tmp_path / "relay.db").write_bytes(gzip.decompress(golden.read_bytes()))
    relay = Slow(write_config(sim, tmp_path))
    starting = asyncio.ensure_future(relay.start())
    await until(lambda: list(tmp_path.glob("*.part")) != [])
    relay.process.send_signal(signal.SIGTERM)
    await until(lambda: "relay.stopping" in said(relay))
    assert relay.process.returncode is None  # the copy is finished first
    relay.process.send_signal(signal.SIGTERM)
    with pytest.raises(AssertionError, match="the relay ended"):
        await starting

    assert await relay.process.wait() == 1
    assert not list(tmp_path.glob("*.before-0005_undo"))
    again = await started(sim, tmp_path)
    assert (await again.status())["changes"]["accepted"] == 10
    assert await again.stop() == 0


async def test_sighup_during_the_start_waits_for_its_end(sim, tmp_path):
    config = write_config(sim, tmp_path)
    text = config.read_bytes()
    config.unlink()
    os.mkfifo(config)
    relay = RelayProcess(config)
    starting = asyncio.ensure_future(relay.start())

    def hand_over(meanwhile):
        with config.open("wb") as pipe:  # waits until somebody reads the configuration
            meanwhile()
            pipe.write(text)

    await asyncio.to_thread(hand_over, lambda: relay.process.send_signal(signal.SIGHUP))
    await starting
    await asyncio.to_thread(hand_over, lambda: None)
    await until(lambda: "config.reloaded" in said(relay))
    assert await relay.stop() == 0
