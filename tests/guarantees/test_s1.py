"""S1: tokens reach no log, metric, database, traceback, command's output or dump.

`tests/conftest.py` searches what every test of the whole run printed and left on disk, and
`support.relays` what real processes logged and commands printed. Here: the places that a run does
not look at by itself, and the control.
"""

import json
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from support.canaries import left_in, seen_in
from support.idp import TOKEN, user
from support.relays import RelayProcess, relay_for, typed, write_config

from relay.ops.packing import pack
from relay.simulator.faults import Fault, FaultKind, Match

FAST = {"rate": 100}
TESTS = Path(__file__).parents[1]


async def trouble(sim, relay):
    """All that makes a relay talk: refusals, resets, a wrong token, bad requests, no token."""
    for fault in (
        Fault(kind=FaultKind.STATUS, status=422, detail="no"),
        Fault(kind=FaultKind.RESET_AFTER),
        Fault(kind=FaultKind.GARBAGE),
        Fault(kind=FaultKind.STATUS, status=500),
    ):
        sim.faults.add(fault, Match(method="POST"))
        await relay.idp.post("/Users", user(f"{fault.kind.value}{fault.status}@example.com"))
    async with aiohttp.ClientSession() as strange:
        url = f"http://127.0.0.1:{relay.parts.port}/scim/v2/Users"
        for headers in (
            {"Authorization": f"Basic {TOKEN}"},
            {"Authorization": f"Bearer {TOKEN}x"},
            {"X-Token": TOKEN},
        ):
            async with strange.get(url, headers=headers) as reply:
                assert reply.status == 401
                assert not seen_in(await reply.read())
        async with strange.get(f"{url}?filter={TOKEN}", headers={"Authorization": TOKEN}) as reply:
            assert reply.status == 400


async def test_metrics_status_and_listings_show_no_token(unlimited, tmp_path):
    sections = {"target": FAST, "metrics": {"address": "127.0.0.1:0"}}
    async with relay_for(unlimited, tmp_path, **sections) as relay:
        await trouble(unlimited, relay)
        unlimited.rotate_token()
        await relay.idp.post("/Users", user("late@example.com"))
        await relay.held("token")
        shown = relay.parts.parts.metrics.exposition()
        assert b"scim_relay_" in shown
        assert not seen_in(shown)
        for words in (("status", "--json"), ("changes", "list"), ("check",), ("shape",)):
            _, output = await typed(tmp_path, *words)
            assert output, words
        file = await relay.store.run(
            lambda tx: json.dumps(tx.all("SELECT * FROM audit"), default=repr)
        )
        assert not seen_in(file)


async def test_a_configuration_that_is_refused_does_not_repeat_a_token(unlimited, tmp_path):
    config = write_config(unlimited, tmp_path)
    config.write_text(config.read_text().replace("token_file =", f'token = "{unlimited.token}" #'))
    code, shown = await typed(tmp_path, "check")
    assert code == 2
    assert "token" in shown


@pytest.mark.leaks_on_purpose
async def test_the_search_finds_a_token_in_a_database_a_log_and_a_process(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        leak = ("leak", unlimited.token)
        await relay.store.run(
            lambda tx: tx.run("INSERT INTO meta (key, value) VALUES (?, ?)", leak)
        )
    assert any(name.endswith((".db", ".db-wal")) for name in left_in(tmp_path))

    process = RelayProcess(tmp_path / "relay.toml")
    process.lines = []
    with pytest.raises(AssertionError, match="S1"):
        process._take(f'{{"event":"x","token":"{TOKEN}"}}'.encode())


def test_a_test_that_prints_a_token_fails(tmp_path):
    (tmp_path / "conftest.py").write_text((TESTS / "conftest.py").read_text())
    (tmp_path / "test_leak.py").write_text(
        f"def test_leak():\n    print({TOKEN[:4]!r} {TOKEN[4:]!r})"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:looptime", tmp_path],
        env={"PYTHONPATH": str(TESTS), "PATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed" in done.stdout
    assert "a token was printed" in done.stdout


@pytest.mark.leaks_on_purpose
def test_the_search_looks_into_a_compressed_archive(tmp_path):
    pack(tmp_path / "bundle.tar.gz", {"log": [{"event": "leak", "token": TOKEN}]}, "", 0.0)

    assert left_in(tmp_path) == [str(tmp_path / "bundle.tar.gz")]
