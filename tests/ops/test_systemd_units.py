"""The unit files: systemd accepts them, they leave little exposed, and what they run exists."""

import configparser
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from relay.cli.exits import Exit
from relay.daemon.supervision import DRAIN_S
from relay.ops.runner import END_S

SYSTEMD = Path(__file__).resolve().parents[2] / "systemd"
SERVICES = sorted(SYSTEMD.glob("*.service"))
UNITS = sorted(path for path in SYSTEMD.iterdir() if path.is_file())
analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


class Repeated(dict):
    """Of an option that is written several times all values are kept, one a line."""

    def __setitem__(self, key, value):
        if isinstance(value, list) and key in self:
            value = [*self[key], *value]
        super().__setitem__(key, value)


def options(unit, section):
    parser = configparser.RawConfigParser(
        strict=False, dict_type=Repeated, comment_prefixes=("#",), delimiters=("=",)
    )
    parser.optionxform = str
    text = (SYSTEMD / unit).read_text().replace("\\\n", " ")
    parser.read_string(text)
    return dict(parser[section])


@pytest.fixture
def installed(tmp_path):
    """The units as they are, but for the program, which is not at its place here."""
    program = tmp_path / "scim-relay"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for unit in UNITS:
        text = unit.read_text()
        path = tmp_path / unit.name
        path.write_text(text.replace("=/opt/tfe-scim-relay/bin/scim-relay ", f"={program} "))
    return tmp_path


@analyze
def test_systemd_finds_nothing_wrong_with_the_units(installed):
    units = [str(installed / unit.name) for unit in UNITS]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")


@analyze
@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)
def test_the_exposure_is_at_most_one_and_a_half(unit):
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", unit],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)

    assert done.returncode == 0, done.stdout + done.stderr
    assert float(found[1]) <= 1.5


@analyze
@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)
def test_what_is_left_open_is_named_in_a_comment_with_its_reason(unit):
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--json=short", "--no-pager", unit],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    comments = re.findall(r"^# (.+)", unit.read_text(), re.MULTILINE)
    explained = " ".join(comment.split(": ")[0] for comment in comments if ": " in comment)
    names = [one["name"] for one in json.loads(done.stdout) if one["exposure"]]
    # Written "RestrictAddressFamilies=~AF_(INET|INET6)", or "RootDirectory=/RootImage=".
    words = {word for name in names for word in re.findall(r"\w+=|(?<=~)\w+", name)}

    assert words
    assert {word for word in words if word not in explained} == set()


@analyze
def test_the_page_tells_the_exposure_that_is_measured():
    page = (SYSTEMD.parent / "docs" / "how-to" / "systemd.md").read_text()
    for unit in SERVICES:
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        measured = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)[1]

        assert f"`{unit.name}` {measured}" in page


def test_a_start_that_no_restart_cures_is_not_repeated():
    never = options("scim-relay.service", "Service")["RestartPreventExitStatus"].split()
    hopeless = {Exit.BAD_CONFIGURATION, Exit.STORE_REFUSED, Exit.ALREADY_RUNNING}

    assert {int(code) for code in never} == hopeless


def test_systemd_waits_longer_for_the_end_than_the_relay_drains():
    stop_s = int(options("scim-relay.service", "Service")["TimeoutStopSec"])

    operators_s = 2 * (END_S + END_S)  # aiohttp waits again after it cancelled
    assert stop_s > DRAIN_S + operators_s + 10 + 2  # the front, and what it adds


def test_both_services_run_as_one_user_on_one_directory():
    relay, backup = (
        options(unit, "Service") for unit in ("scim-relay.service", "scim-relay-backup.service")
    )
    for option in ("User", "DynamicUser", "StateDirectory", "StateDirectoryMode", "UMask"):
        assert relay[option] == backup[option]
