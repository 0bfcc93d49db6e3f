"""`scim-relay simulate` as an operator runs it: in a process of its own."""

from __future__ import annotations

import asyncio
import signal
import stat
import sys
import urllib.error
import urllib.request

import pytest
from click.testing import CliRunner

from relay.cli.root import scim_relay

COMMAND = (
    sys.executable,
    "-c",
    "from relay.cli.simulate import simulate; simulate()",
    "--port",
    "0",
)


async def started(*options, env=None):
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *options, stdout=asyncio.subprocess.PIPE, env=env
    )
    lines = [(await process.stdout.readline()).decode().split(maxsplit=1) for _ in range(4)]
    return process, {name: value.strip() for name, value in lines}


def status(url, token):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_mints_a_private_token_file_serves_and_stops_on_a_signal(tmp_path, number):
    path = tmp_path / "token"
    process, shown = await started("--token-file", str(path), "--rate", "2", "--window", "fixed")
    token = path.read_text().strip()
    answered = await asyncio.to_thread(status, shown["SCIM"] + "/Users", token)
    refused = await asyncio.to_thread(status, shown["SCIM"] + "/Users", "other")
    process.send_signal(number)

    assert await process.wait() == 0
    assert (answered, refused) == (200, 401)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert shown["token"] == f"in {path}"
    assert token not in str(shown)


async def test_it_takes_the_token_from_the_environment_and_can_start_paused():
    process, shown = await started("--token-env", "SIM", "--paused", env={"SIM": "t0"})
    answered = await asyncio.to_thread(status, shown["SCIM"] + "/Users", "t0")
    process.terminate()

    assert await process.wait() == 0
    assert answered == 403


async def test_the_admin_api_is_open_to_the_token_of_the_environment_and_scim_can_start_disabled():
    process, shown = await started(
        "--admin-token-env",
        "ADMIN",
        "--disabled",
        "--token-env",
        "SIM",
        env={"ADMIN": "a0", "SIM": "t0"},
    )
    answered = await asyncio.to_thread(status, shown["admin"] + "/admin/scim-settings", "a0")
    refused = await asyncio.to_thread(status, shown["admin"] + "/admin/scim-settings", "t0")
    scim = await asyncio.to_thread(status, shown["SCIM"] + "/Schemas", "t0")
    process.terminate()

    assert await process.wait() == 0
    assert (answered, refused, scim) == (200, 401, 401)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--latency", "80-20"], "ends before it begins"),
        (["--latency", "slow"], "milliseconds"),
        (["--token-env", "NO_SUCH_VARIABLE"], "NO_SUCH_VARIABLE"),
        (["--admin-token-env", "NO_SUCH_VARIABLE"], "NO_SUCH_VARIABLE"),
        (["--token-env", "A", "--token-file", "b"], "not both"),
        (["--token-file", "/no/such/folder/token"], "cannot use /no/such/folder/token"),
        (["--window", "rolling"], "sliding"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_starts(options, said):
    result = CliRunner().invoke(scim_relay, ["simulate", *options])

    assert result.exit_code != 0
    assert said in result.output


def test_an_empty_token_file_is_refused(tmp_path):
    (tmp_path / "token").write_text("\n")

    result = CliRunner().invoke(scim_relay, ["simulate", "--token-file", str(tmp_path / "token")])

    assert result.exit_code == 1
    assert "it is empty" in result.output
