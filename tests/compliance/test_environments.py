"""A program of others that cannot be installed: skipped without a way to the index, else a failure."""

import json
import re
import socket
import sys
import tomllib

import environments
import pytest

ROOT = environments.REQUIREMENTS.parent
GROUPS = {
    name: wanted
    for name, wanted in tomllib.loads((ROOT / "pyproject.toml").read_text())[
        "dependency-groups"
    ].items()
    if name.startswith("compliance-")
}
PIN = re.compile(r"([\w-]+)(?:\[.*\])?==(\S+)")


@pytest.mark.parametrize("name", GROUPS)
def test_what_a_group_pins_is_what_its_lock_installs(name):
    locked = (environments.REQUIREMENTS / f"{name}.txt").read_text().splitlines()

    for wanted in GROUPS[name]:
        package, version = PIN.fullmatch(wanted).groups()
        assert f"{package}=={version} \\" in locked


def test_newman_is_locked_in_the_version_that_is_asked_for():
    folder = environments.REQUIREMENTS / "compliance-newman"
    asked = json.loads((folder / "package.json").read_text())["dependencies"]
    locked = json.loads((folder / "package-lock.json").read_text())["packages"]

    assert locked[""]["dependencies"] == asked == {"newman": "6.2.2"}
    assert locked["node_modules/newman"]["version"] == asked["newman"]


@pytest.fixture
def broken():
    """An installation that fails."""
    return [sys.executable, "-c", "raise SystemExit('no such package')"]


@pytest.fixture
def no_proxy(monkeypatch):
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.delenv("HTTPS_PROXY", raising=False)


def test_without_a_way_to_the_index_the_tests_are_skipped_with_the_reason(broken, no_proxy):
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        index = f"http://127.0.0.1:{unheard.getsockname()[1]}"
        with pytest.raises(pytest.skip.Exception, match="cannot be reached"):
            environments.install(broken, index)


def test_with_a_way_to_the_index_it_is_a_failure_that_quotes_the_installer(broken, no_proxy):
    with socket.create_server(("127.0.0.1", 0)) as index:
        address = f"http://127.0.0.1:{index.getsockname()[1]}"
        with pytest.raises(pytest.fail.Exception, match="no such package"):
            environments.install(broken, address)


def test_a_folder_that_was_not_finished_is_made_anew(monkeypatch, tmp_path):
    monkeypatch.setattr(environments, "CACHE", tmp_path)
    made = []

    def half(folder):
        folder.mkdir()
        made.append(folder)
        raise RuntimeError("killed")

    def whole(folder):
        folder.mkdir()
        made.append(folder)

    with pytest.raises(RuntimeError):
        environments.made("tool", b"lock", half)
    folder = environments.made("tool", b"lock", whole)
    assert environments.made("tool", b"lock", half) == folder
    assert made == [folder, folder]
    assert environments.made("tool", b"another lock", whole) != folder
