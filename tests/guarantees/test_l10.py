"""L10: a relay that stands still does not say that it is alive, and its supervisor restarts it."""

import asyncio
import os
import signal
import socket
import sys
import threading
from contextlib import asynccontextmanager

import pytest
from support.history import Player
from support.idp import Idp, user
from support.lab import lab_in
from support.relays import RelayProcess, relay_for, until, write_config
from support.world import World, run_virtually

from relay.daemon import parts as daemon_parts
from relay.errors import SettingsError
from relay.ops import systemd
from relay.ops.watchdog import keep_watch
from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.server import simulator

BLOCKED_ON_USR1 = """
import signal, sys, time
signal.signal(signal.SIGUSR1, lambda *_: time.sleep(3600))
sys.argv = ["scim-relay", *sys.argv[1:]]
from relay.cli import main
main()
"""
"""The relay, whose event loop stands still once SIGUSR1 came; its other threads go on."""


class Supervisor:
    """What systemd hears: the newest words first in `heard`, and when the last one came."""

    def __init__(self, path):
        self.path = str(path)
        self.heard = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.setblocking(False)

    def environ(self, watchdog_s):
        return {"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": str(int(watchdog_s * 1_000_000))}

    async def next(self, timeout_s):
        """The next word, or None if there was none in time."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_s):
                word = (await loop.sock_recv(self._socket, 100)).decode()
        except TimeoutError:
            return None
        self.heard.append(word)
        return word

    async def silence(self, watchdog_s):
        """Listen until nothing came for as long as systemd would wait."""
        while await self.next(watchdog_s) is not None:
            pass

    def close(self):
        self._socket.close()


@pytest.fixture
def supervisor(tmp_path):
    found = Supervisor(tmp_path / "notify.sock")
    yield found
    found.close()


@asynccontextmanager
async def watching(environ, alive, pulse):
    task = asyncio.ensure_future(keep_watch(alive, pulse, environ))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Loopless(RelayProcess):
    """A relay in a process whose loop can be blocked."""

    @property
    def command(self):
        return (sys.executable, "-c", BLOCKED_ON_USR1, "serve", "--config", str(self.config))


async def test_a_blocked_event_loop_is_noticed_and_the_restarted_relay_has_all_it_accepted(
    supervisor, tmp_path
):
    watchdog_s = 2.0
    async with simulator(SimulatorSettings(limit=RateLimit(rate=0))) as sim:
        config = write_config(sim, tmp_path, answer={"wait": "0s"})
        relay = Loopless(config, supervisor.environ(watchdog_s))
        await relay.start()
        words = [await supervisor.next(watchdog_s) for _ in range(3)]
        async with Idp(relay.base) as idp:

            async def accepted():
                return (await idp.post("/Users", user("first@example.com"))).status == 201

            await until(accepted)
            sim.pause()
            reply = await idp.post("/Users", user("ada@example.com"))
            assert reply.status == 201, reply
        relay.process.send_signal(signal.SIGUSR1)
        await supervisor.silence(watchdog_s)
        assert relay.process.returncode is None, "it hangs, it did not die"
        await relay.kill()

        again = RelayProcess(config, supervisor.environ(watchdog_s))
        await again.start()
        assert await supervisor.next(watchdog_s) == systemd.READY
        assert await supervisor.next(watchdog_s) == systemd.WATCHDOG
        sim.resume()
        await until(lambda: len(sim.directory.users) == 2)
        assert await again.stop() == 0
        assert await supervisor.next(0.5) in {systemd.WATCHDOG, systemd.STOPPING}

    assert words == [systemd.READY, systemd.WATCHDOG, systemd.WATCHDOG]


async def test_a_writer_that_hangs_is_not_called_alive(supervisor, tmp_path):
    held, go_on = threading.Event(), threading.Event()

    def hang(_tx):
        held.set()
        go_on.wait()

    async with lab_in(tmp_path) as found:
        environ = supervisor.environ(0.2)
        async with watching(environ, lambda: True, found.store.pulse):
            assert await supervisor.next(5) == systemd.WATCHDOG
            stuck = asyncio.ensure_future(found.store.run(hang))
            await until(held.is_set)
            await supervisor.silence(0.5)
            told = len(supervisor.heard)
            go_on.set()
            await stuck
            assert await supervisor.next(5) == systemd.WATCHDOG
            assert len(supervisor.heard) == told + 1


async def test_a_fault_around_the_writers_operations_is_told_and_does_not_end_it(tmp_path):
    class Faulty:
        def committed(self, operations, seconds, /):
            raise MemoryError

    async with lab_in(tmp_path) as found:
        well, found.store._writer._observer = found.store._writer._observer, Faulty()
        with pytest.raises(MemoryError):
            async with asyncio.timeout(5):
                await found.store.run(lambda _tx: None)
        found.store._writer._observer = well

        assert await found.store.run(lambda tx: tx.value("SELECT 7")) == 7
        assert found.store.alive


async def test_a_delivery_that_stands_still_is_not_called_alive(supervisor):
    def pulse():
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    async with watching(supervisor.environ(0.1), lambda: False, pulse):
        assert await supervisor.next(0.5) is None


def test_delivery_that_waits_for_slow_answers_in_every_place_goes_round(tmp_path):
    async def silent(_request, _name, departing):
        departing()
        await asyncio.sleep(600)

    async def main():
        world = World(tmp_path / "relay.db", concurrency=1)
        await world.start()
        await Player(world).play([("create_user", "ann", True, "e1")])
        world.target.send = silent
        await world.pass_time(300)

        idle_s = asyncio.get_running_loop().time() - world.dispatcher.beat
        assert idle_s < daemon_parts.STALLED_S
        await world.stop()

    run_virtually(main)


async def test_delivery_that_waits_while_the_file_is_written_anew_is_alive(
    unlimited, tmp_path, monkeypatch
):
    held, go_on = threading.Event(), threading.Event()

    def long(_connection):
        held.set()
        go_on.wait()

    monkeypatch.setattr(daemon_parts, "STALLED_S", 0.05)
    async with relay_for(unlimited, tmp_path) as relay:
        parts = relay.parts.parts
        writing = relay.store.audit._alone(long)
        await until(held.is_set)
        relay.store.work.set()  # delivery asks for a claim, and waits
        await until(lambda: parts.clock.monotonic() - parts.dispatcher.beat > 0.1)
        assert parts.alive()
        go_on.set()
        await writing


async def test_a_writer_that_meets_a_bad_disk_is_alive(supervisor):
    def pulse():
        done = asyncio.get_running_loop().create_future()
        done.set_exception(OSError("the disk is full"))
        return done

    async with watching(supervisor.environ(0.1), lambda: True, pulse):
        assert await supervisor.next(5) == systemd.WATCHDOG


async def test_nobody_is_told_where_nobody_watches():
    await asyncio.wait_for(keep_watch(lambda: True, asyncio.Future, {}), 5)


def test_sockets_for_another_process_are_left_alone():
    assert systemd.inherited_sockets({"LISTEN_FDS": "1", "LISTEN_PID": "1"}) == []
    assert systemd.inherited_sockets({"LISTEN_PID": str(os.getpid())}) == []


def test_a_descriptor_that_is_no_listening_socket_is_refused_by_number(monkeypatch):
    first, second = socket.socketpair()
    monkeypatch.setattr(systemd, "_FIRST_FD", first.fileno())
    with pytest.raises(SettingsError, match=f"descriptor {first.fileno()}.*does not listen"):
        systemd.inherited_sockets({"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())})
    assert first.send(b"it is still ours") > 0
    first.close()
    second.close()
