"""What operators type, and the exit code scripts act on."""

import hashlib
import json
import os
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from relay.cli.asking import cell
from relay.cli.exits import Exit
from relay.cli.root import exit_of, scim_relay
from relay.errors import AlreadyRunning, RelayError, SettingsError, StoreRefused
from relay.ops.doctor import Level, examine_sqlite
from relay.ops.errors import DaemonUnreachable


@pytest.fixture
def config(tmp_path):
    token = tmp_path / "token"
    token.write_text("canary-token")
    token.chmod(0o600)
    path = tmp_path / "relay.toml"
    path.write_text(
        f'[[connections]]\nname = "entra"\ntoken_hash = "sha256:{"0" * 64}"\n'
        f'[target]\nurl = "http://127.0.0.1:9/scim/v2"\ntoken_file = "{token}"\n'
        f'[store]\npath = "{tmp_path / "relay.db"}"\n'
    )
    return path


def run(*arguments):
    """The command as a process, with an environment of its own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SCIM_RELAY_")}
    return subprocess.run(
        [sys.executable, "-m", "relay", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


def test_a_new_token_comes_with_its_hash():
    output = CliRunner().invoke(scim_relay, ["token", "new", "--label", "entra"]).output

    token = re.search(r"^token = (\S{43})$", output, re.MULTILINE)[1]
    assert f"token_hash = sha256:{hashlib.sha256(token.encode()).hexdigest()}" in output


def test_a_token_is_hashed_from_standard_input():
    result = CliRunner().invoke(scim_relay, ["token", "hash"], input="a" * 30 + "\n")

    assert result.output.strip() == "sha256:" + hashlib.sha256(b"a" * 30).hexdigest()


def test_a_guessable_token_is_refused():
    assert CliRunner().invoke(scim_relay, ["token", "hash"], input="secret\n").exit_code == 1


def test_check_finds_the_target_down_and_says_so(config):
    result = CliRunner().invoke(scim_relay, ["check", "--config", str(config)])

    assert result.exit_code == Exit.TROUBLE
    assert "FAIL  target connection: cannot connect to 127.0.0.1 port 9" in result.output
    assert "canary-token" not in result.output


def test_check_offline_passes_a_sound_configuration(config):
    result = CliRunner().invoke(
        scim_relay, ["check", "--offline", "--json", "--config", str(config)]
    )

    assert result.exit_code == Exit.OK
    assert "FAIL" not in {json.loads(line)["level"] for line in result.output.splitlines()}


def test_check_names_a_token_everyone_may_read(config, tmp_path):
    (tmp_path / "token").chmod(0o644)

    result = CliRunner().invoke(scim_relay, ["check", "--offline", "--config", str(config)])

    assert f"WARN  target.token_file: {tmp_path / 'token'} is open to everyone" in result.output


@pytest.mark.parametrize("written", ["", "\n"])
def test_check_names_a_token_file_without_a_token(config, tmp_path, written):
    (tmp_path / "token").write_text(written)

    result = CliRunner().invoke(scim_relay, ["check", "--offline", "--config", str(config)])

    assert f"FAIL  target.token_file: {tmp_path / 'token'} is empty" in result.output


@pytest.mark.parametrize(
    ("version", "level"),
    [("3.40.1", "WARN"), ("3.51.2", "WARN"), ("3.44.6", "OK"), ("3.51.3", "OK"), ("3.53.4", "OK")],
)
def test_an_sqlite_with_the_wal_reset_bug_is_named(version, level):
    assert examine_sqlite(version).level == Level(level)


def test_a_bad_configuration_ends_with_2(tmp_path):
    path = tmp_path / "relay.toml"
    path.write_text("[lissten]\n")

    result = run("check", "--config", path)

    assert result.returncode == Exit.BAD_CONFIGURATION
    assert "lissten: unknown table; did you mean listen?" in result.stderr


def test_without_a_daemon_status_ends_with_3(config):
    result = run("status", "--config", config)

    assert result.returncode == Exit.UNREACHABLE
    assert "cannot reach the daemon" in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsError(["x"]), 2),
        (DaemonUnreachable("x"), 3),
        (StoreRefused("x"), 4),
        (AlreadyRunning("x"), 5),
        (RelayError("x"), 1),
    ],
)
def test_every_error_has_its_exit_code(error, code):
    assert exit_of(error) == code


def test_a_name_cannot_steer_the_terminal():
    assert cell("evil\x1b[2J") == "evil\N{REPLACEMENT CHARACTER}[2J"
