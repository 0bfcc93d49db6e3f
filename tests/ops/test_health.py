"""Probes say what the injected callables say; systemd hears what it asked for."""

import socket

import aiohttp

from relay.ops import systemd
from relay.ops.health import Probes, serve_health
from relay.settings import Address


async def fetch(port, path):
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def test_a_healthy_relay_is_alive_and_ready():
    probes = Probes(lambda: True, lambda: None, lambda: b"scim_relay_up 1\n")

    async with serve_health(Address("127.0.0.1", 0), probes) as port:
        answers = [await fetch(port, path) for path in ("/livez", "/readyz", "/metrics")]

    assert answers == [(200, "ok\n"), (200, "ok\n"), (200, "scim_relay_up 1\n")]


async def test_a_full_disk_is_alive_and_not_ready():
    probes = Probes(lambda: True, lambda: "disk is full", lambda: b"")

    async with serve_health(Address("127.0.0.1", 0), probes) as port:
        answers = [await fetch(port, path) for path in ("/livez", "/readyz")]

    assert answers == [(200, "ok\n"), (503, "disk is full\n")]


async def test_a_stalled_writer_is_not_alive():
    probes = Probes(lambda: False, lambda: None, lambda: b"")

    async with serve_health(Address("127.0.0.1", 0), probes) as port:
        assert (await fetch(port, "/livez"))[0] == 503


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
