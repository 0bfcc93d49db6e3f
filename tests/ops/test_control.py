"""The control socket: who may open it may give orders, and nobody else."""

import asyncio
import os
import pwd
import socket
import stat
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from support.relays import typed

from relay import __version__
from relay.errors import RelayError, SettingsError
from relay.ops import control, runner
from relay.ops.client import ask
from relay.ops.control import serve_control
from relay.ops.errors import DaemonUnreachable, NotFound, OtherVersion


async def status(arguments, actor):
    return {"asked": arguments, "by": actor}


async def missing(arguments, _actor):
    raise NotFound(f"no change {arguments['change']}")


async def refusing(_arguments, _actor):
    raise RelayError("cannot do it: held")


ROUTES = {"status": status, "changes/show": missing, "refuse": refusing}


async def test_a_question_gets_its_routes_answer(tmp_path):
    path = tmp_path / "run" / "control.sock"

    async with serve_control(path, ROUTES):
        answer = await ask(path, "status", {"limit": 5})
        modes = [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent)]

    assert answer["asked"] == {"limit": 5}
    assert answer["by"] == f"{pwd.getpwuid(os.getuid()).pw_name} (uid {os.getuid()})"
    assert modes == [0o660, 0o750]
    assert not path.exists()


async def test_errors_come_back_as_what_they_are(tmp_path):
    path = tmp_path / "control.sock"

    async with serve_control(path, ROUTES):
        with pytest.raises(NotFound, match="no change 7"):
            await ask(path, "changes/show", {"change": 7})
        with pytest.raises(RelayError, match="cannot do it: held"):
            await ask(path, "refuse", {})


async def test_without_a_daemon_the_client_names_the_socket(tmp_path):
    with pytest.raises(DaemonUnreachable, match=r"control\.sock"):
        await ask(tmp_path / "control.sock", "status", {})


async def test_a_daemon_of_another_release_is_told_from_one_that_does_not_run(tmp_path):
    path = tmp_path / "control.sock"

    async with serve_control(path, ROUTES):
        with pytest.raises(OtherVersion, match=rf"is of version {__version__} and does not know"):
            await ask(path, "shape", {})
    async with earlier_release(path):
        with pytest.raises(OtherVersion, match=r"earlier release .* restart the daemon"):
            await ask(path, "shape", {})


@asynccontextmanager
async def earlier_release(path):
    """A daemon that knows nothing of versions, nor of what is new."""
    running = runner.runner_of(web.Application())
    await running.setup()
    await web.UnixSite(running, path).start()
    yield
    await running.cleanup()


async def test_a_fault_of_the_daemon_is_not_taken_for_its_absence(tmp_path):
    path = tmp_path / "control.sock"

    async with serve_control(path, ROUTES):
        with pytest.raises(RelayError, match="a fault of its own: see its log"):
            await ask(path, "changes/show", {})


async def test_the_socket_of_a_dead_daemon_is_replaced(tmp_path):
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(path))

    async with serve_control(path, ROUTES):
        assert (await ask(path, "status", {}))["asked"] == {}


async def test_the_socket_of_a_living_daemon_is_not_taken(tmp_path):
    path = tmp_path / "control.sock"

    async with serve_control(path, ROUTES):
        with pytest.raises(SettingsError, match="another daemon answers"):
            async with serve_control(path, ROUTES):
                pass
        assert (await ask(path, "status", {}))["asked"] == {}


async def test_a_file_or_a_path_too_long_is_refused(tmp_path):
    ordinary = tmp_path / "file"
    ordinary.write_text("keep me")

    for path, problem in ((ordinary, "not a socket"), (tmp_path / ("x" * 120), "longer than")):
        with pytest.raises(SettingsError, match=problem):
            async with serve_control(path, ROUTES):
                pass
    assert ordinary.read_text() == "keep me"


async def test_a_client_that_stopped_in_the_middle_of_its_order_does_not_hold_up_the_end(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(runner, "END_S", 0.1)
    path = tmp_path / "control.sock"
    loop = asyncio.get_running_loop()

    async with serve_control(path, ROUTES):
        _, half = await asyncio.open_unix_connection(path)
        half.write(b"POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        await ask(path, "status", {})
        began = loop.time()
    took_s = loop.time() - began
    half.close()

    assert took_s < 5


async def test_a_client_that_stops_in_the_middle_of_its_order_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr(control, "_BODY_S", 0.1)
    path = tmp_path / "control.sock"

    async with serve_control(path, ROUTES):
        answer, half = await asyncio.open_unix_connection(path)
        half.write(b"POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        async with asyncio.timeout(5):
            assert b" 408 " in await answer.readline()
        half.close()


async def test_a_connection_that_says_nothing_is_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "KEEPALIVE_S", 0.1)
    path = tmp_path / "control.sock"

    async with serve_control(path, ROUTES):
        answer, silent = await asyncio.open_unix_connection(path)
        async with asyncio.timeout(5):
            assert await answer.read() == b""
        silent.close()


async def test_an_order_that_takes_longer_than_a_question_is_waited_for(tmp_path):
    path, done = tmp_path / "control.sock", asyncio.Event()

    async def backup(_arguments, _actor):
        await done.wait()
        return {"bytes": 1}

    async with serve_control(path, {"backup": backup}):
        asyncio.get_running_loop().call_later(11, done.set)
        code, shown = await typed(None, "backup", "copy.db", "--socket", str(path))

    assert (code, "bytes: 1" in shown) == (0, True)


async def test_a_daemon_that_is_slow_is_not_called_absent(tmp_path):
    path, done = tmp_path / "control.sock", asyncio.Event()

    async def slow(_arguments, _actor):
        await done.wait()

    async with serve_control(path, {"slow": slow}):
        with pytest.raises(DaemonUnreachable, match="may still be under way"):
            await ask(path, "slow", {}, 0.05)
        done.set()
