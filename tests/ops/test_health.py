"""Probes say what the injected callables say; systemd hears what it asked for."""

import asyncio
import socket

import aiohttp

from relay.front.guard import ConnectionGuard
from relay.ops import systemd
from relay.ops.health import Probes, serve_health
from relay.settings import Address


def healthy(probes):
    return serve_health(
        Address("127.0.0.1", 0), probes, ConnectionGuard(64, 10.0, lambda _reason: None)
    )


async def fetch(port, path):
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def test_a_healthy_relay_is_alive_and_ready():
    probes = Probes(lambda: True, lambda: None, lambda: b"scim_relay_up 1\n")

    async with healthy(probes) as port:
        answers = [await fetch(port, path) for path in ("/livez", "/readyz", "/metrics")]

    assert answers == [(200, "ok\n"), (200, "ok\n"), (200, "scim_relay_up 1\n")]


async def test_a_full_disk_is_alive_and_not_ready():
    probes = Probes(lambda: True, lambda: "disk is full", lambda: b"")

    async with healthy(probes) as port:
        answers = [await fetch(port, path) for path in ("/livez", "/readyz")]

    assert answers == [(200, "ok\n"), (503, "disk is full\n")]


async def test_a_stalled_writer_is_not_alive():
    probes = Probes(lambda: False, lambda: None, lambda: b"")

    async with healthy(probes) as port:
        assert (await fetch(port, "/livez"))[0] == 503


async def test_what_is_not_there_and_what_is_not_read_is_said():
    probes = Probes(lambda: True, lambda: None, lambda: b"")

    async with healthy(probes) as port, aiohttp.ClientSession() as session:
        missing = await fetch(port, "/health")
        async with session.post(f"http://127.0.0.1:{port}/livez") as answer:
            posted = answer.status, answer.headers["Allow"]
        async with session.head(f"http://127.0.0.1:{port}/livez") as answer:
            asked = answer.status, await answer.text()

    assert missing == (404, "not found; there are /metrics, /livez, /readyz\n")
    assert posted == (405, "GET, HEAD")
    assert asked == (200, "")


async def test_idle_connections_beyond_the_cap_make_room_for_a_probe():
    turned_away = []
    guard = ConnectionGuard(3, 10.0, turned_away.append)
    probes = Probes(lambda: True, lambda: None, lambda: b"")

    async with serve_health(Address("127.0.0.1", 0), probes, guard) as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        answer = await fetch(port, "/livez")
        ended = [await reader.read() for reader, _ in idle[:3]]
        for _, writer in idle:
            writer.close()

    assert answer == (200, "ok\n")
    assert ended == [b"", b"", b""]
    assert turned_away == ["connections"] * 3


async def test_a_head_that_does_not_come_ends_its_connection():
    guard = ConnectionGuard(3, 0.05, lambda _reason: None)
    probes = Probes(lambda: True, lambda: None, lambda: b"")

    async with serve_health(Address("127.0.0.1", 0), probes, guard) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /livez HTTP/1.1\r\n")
        said = await reader.read()
        writer.close()

    assert said == b""


def test_systemd_is_told_where_it_listens(tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        systemd.notify(systemd.READY, {"NOTIFY_SOCKET": path})

        assert listener.recv(100) == b"READY=1"


def test_without_systemd_nothing_is_sent():
    systemd.notify(systemd.READY, {})

    assert systemd.watchdog_interval_s({}) is None


def test_the_watchdog_is_fed_twice_as_often_as_needed():
    assert systemd.watchdog_interval_s({"WATCHDOG_USEC": "30000000"}) == 15.0
    assert systemd.watchdog_interval_s({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}) is None
