"""The units as they are, under a systemd that is process 1 of namespaces of its own."""

import asyncio
import re
import shutil
from pathlib import Path

import pytest
from booted import machine
from support.idp import TOKEN, Idp, user
from support.relays import hash_of, until, write_config

from relay.simulator import RateLimit, SimulatorSettings, simulator

pytestmark = [pytest.mark.compliance, pytest.mark.timeout(300)]
UNITS = Path(__file__).resolve().parents[2] / "systemd"
SERVICE = "scim-relay.service"
STATE = "/var/lib/private/scim-relay"
BLOCKED_ON_USR1 = """
import signal, time
from relay.cli import main
signal.signal(signal.SIGUSR1, lambda *_: time.sleep(3600))
main()
"""
BLOCKABLE = """[Service]
WatchdogSec=4
ExecStart=
ExecStart=/opt/tfe-scim-relay/bin/python /etc/scim-relay/blocked.py serve --config /etc/scim-relay/relay.toml
"""


@pytest.fixture
async def tfe():
    async with simulator(SimulatorSettings(limit=RateLimit(rate=0))) as sim:
        yield sim


@pytest.fixture
def given(tfe, tmp_path, unused_tcp_port_factory):
    """The units, a configuration as the guide has it, and TFE's token."""
    shutil.copytree(UNITS, tmp_path / "units")
    port = unused_tcp_port_factory()
    socket = tmp_path / "units" / "scim-relay.socket"
    socket.write_text(socket.read_text().replace("127.0.0.1:8080", f"127.0.0.1:{port}"))
    write_config(
        tfe, tmp_path, port,
        target={"token_file": "credential:tfe-scim-token", "rate": 100},
        answer={"wait": "0s"},
        store={"path": "/var/lib/scim-relay/relay.db"},
    )  # fmt: skip
    return tmp_path, f"http://127.0.0.1:{port}/scim/v2"


async def accepted(idp, name):
    """Created, as soon as the relay has had its token accepted."""

    async def so():
        return (await idp.post("/Users", user(name))).status == 201

    await until(so)


async def test_the_relay_runs_without_rights_and_is_backed_up(tfe, given, installed):
    folder, base = given
    async with machine(folder, installed) as found:
        await found.ctl("start", SERVICE, "scim-relay-backup.timer")
        async with Idp(base) as idp:
            await accepted(idp, "ada@example.com")
        await until(lambda: len(tfe.directory.users) == 1)
        main = (await found.shows(SERVICE, "MainPID"))["MainPID"]
        _, status = await found.run("cat", f"/proc/{main}/status")
        _, proc = await found.run("nsenter", "--target", main, "--mount", "ls", "/proc")
        await found.run("touch", "-d", "20 days ago", f"{STATE}/old")
        await found.ctl("start", "scim-relay-backup.service")
        await found.run("mv", f"{STATE}/old", f"{STATE}/backups/relay-old.db")
        _, first = await found.run("sh", "-c", f"stat -c %a:%U {STATE}/backups/relay-2*.db")
        # Copies are named by the second, and another one may be asked for within it here.
        await found.run("sh", "-c", f"mv {STATE}/backups/relay-2*.db {STATE}/backups/relay-1.db")
        timer = await found.shows("scim-relay-backup.timer", "NextElapseUSecRealtime")
        await found.ctl("start", "scim-relay-backup.service")
        _, kept = await found.run("ls", f"{STATE}/backups")
        await found.ctl("stop", SERVICE)
        ended = await found.shows(SERVICE, "Result", "ExecMainStatus")

    ids = re.search(r"^Uid:\s+(\d+)\s+\1\s+\1\s+\1$", status, re.MULTILINE)
    assert int(ids[1]) > 61_000  # DynamicUser=
    for line in (r"CapEff:\s+0+", r"CapBnd:\s+0+", r"NoNewPrivs:\s+1", r"Seccomp:\s+2"):
        assert re.search(f"^{line}$", status, re.MULTILINE), status
    assert ("mounts" in proc.split(), "self" in proc.split()) == (False, True)  # ProcSubset=pid
    assert first == "600:scim-relay\n"
    assert "old" not in kept
    assert " 02:3" in timer["NextElapseUSecRealtime"] or " 02:4" in timer["NextElapseUSecRealtime"]
    assert ended == {"Result": "success", "ExecMainStatus": "0"}


async def test_a_new_token_is_let_in_by_systemctl_reload_and_a_bad_file_fails_it(given, installed):
    folder, base = given
    config = folder / "relay.toml"
    good = config.read_text()
    async with machine(folder, installed) as found:
        await found.ctl("start", SERVICE)
        async with Idp(base) as idp:
            await accepted(idp, "ada@example.com")
        both = f"token_hash = {[hash_of(TOKEN), hash_of('the-next-token-of-the-tests')]}"
        config.write_text(re.sub(r"token_hash = .*", both, good))
        await found.run("install", "-m", "0644", str(config), "/etc/scim-relay/relay.toml")
        await found.ctl("reload", SERVICE)
        async with Idp(base, "the-next-token-of-the-tests") as new:
            let_in = (await new.get("/Users")).status
        config.write_text("[lissten]\n")
        await found.run("install", "-m", "0644", str(config), "/etc/scim-relay/relay.toml")
        code, _ = await found.run("systemctl", "reload", SERVICE)
        async with Idp(base) as idp:
            still = (await idp.get("/Users")).status
        shown = await found.shows(SERVICE, "ActiveState", "NRestarts")
        await found.ctl("stop", SERVICE)

    assert (let_in, still) == (200, 200)
    assert code != 0
    assert shown == {"ActiveState": "active", "NRestarts": "0"}


async def test_a_blocked_loop_is_noticed_and_systemd_starts_the_relay_again(tfe, given, installed):
    folder, base = given
    (folder / "units" / f"{SERVICE}.d").mkdir()
    (folder / "units" / f"{SERVICE}.d" / "blockable.conf").write_text(BLOCKABLE)
    (folder / "blocked.py").write_text(BLOCKED_ON_USR1)
    async with machine(folder, installed) as found, Idp(base) as idp:
        await found.run("install", "-m", "0644", f"{folder}/blocked.py", "/etc/scim-relay/")
        await found.ctl("start", SERVICE)
        await accepted(idp, "first@example.com")
        await until(lambda: len(tfe.directory.users) == 1)
        tfe.pause()
        reply = await idp.post("/Users", user("ada@example.com"))
        assert reply.status == 201
        await found.ctl("kill", "--signal=USR1", SERVICE)

        async def ended_by_the_watchdog():
            return await found.shows(SERVICE, "Result") == {"Result": "watchdog"}

        async def again():
            shown = await found.shows(SERVICE, "NRestarts", "ActiveState")
            return shown == {"NRestarts": "1", "ActiveState": "active"}

        await until(ended_by_the_watchdog, 60)
        await until(again, 60)
        tfe.resume()
        await until(lambda: len(tfe.directory.users) == 2)
        await found.ctl("stop", SERVICE)


async def test_behind_the_socket_unit_no_connection_is_refused_by_a_restart(given, installed):
    folder, base = given
    async with machine(folder, installed) as found:
        await found.ctl("start", "scim-relay.socket")
        await found.ctl("start", SERVICE)
        async with Idp(base) as idp:
            await accepted(idp, "ada@example.com")
        restart = asyncio.ensure_future(found.ctl("restart", SERVICE))
        asked = []
        while not restart.done():
            async with Idp(base) as idp:
                asked.append((await idp.get("/ServiceProviderConfig")).status)
        await restart
        await found.ctl("stop", "scim-relay.socket", SERVICE)

    assert asked
    assert set(asked) == {200}


async def test_a_start_that_no_restart_cures_is_tried_once(given, installed):
    folder, _ = given
    (folder / "relay.toml").write_text("[lissten]\n")
    async with machine(folder, installed) as found:
        code, _ = await found.run("systemctl", "start", SERVICE)
        shown = await found.shows(SERVICE, "ActiveState", "NRestarts", "ExecMainStatus")

    assert code != 0
    assert shown == {"ActiveState": "failed", "NRestarts": "0", "ExecMainStatus": "2"}
