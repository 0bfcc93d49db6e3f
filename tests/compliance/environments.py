"""Programs of others, each installed by itself in a cache folder, once for all test runs.

The versions are those of `requirements/`, hashes included. A folder is made under a lock, since
several workers may want it, and is used only if it carries the stamp that making it left last.
Without a way to the package index the tests are skipped; any other failure is one.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
CACHE = Path(
    os.environ.get("TFE_SCIM_RELAY_TEST_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tfe-scim-relay"
)
PYTHON_INDEX = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple")
NODE_INDEX = "https://registry.npmjs.org"
INSTALL_S = 540
REACH_S = 10


def python_programs(name: str) -> Path:
    """The folder of the programs that `requirements/compliance-NAME.txt` installs."""
    lock = REQUIREMENTS / f"compliance-{name}.txt"

    def fill(folder: Path) -> None:
        install([sys.executable, "-m", "venv", str(folder)], PYTHON_INDEX)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--require-hashes"]
        install([*pip, "-r", str(lock)], PYTHON_INDEX)

    return made(name, lock.read_bytes() + sys.version.encode(), fill) / "bin"


def node_programs(name: str) -> Path:
    """The folder of the programs that `requirements/compliance-NAME/package-lock.json` installs."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"{name} needs node and npm, which are not installed")
    lock = REQUIREMENTS / f"compliance-{name}"

    def fill(folder: Path) -> None:
        shutil.copytree(lock, folder)
        install([npm, "ci", "--prefix", str(folder), "--no-audit", "--no-fund"], NODE_INDEX)

    content = (lock / "package-lock.json").read_bytes()
    return made(name, content, fill) / "node_modules" / ".bin"


def debian_programs(name: str) -> Path:
    """The folder of the programs in Debian's package of that name, unpacked and not installed."""
    if shutil.which("apt-get") is None:
        pytest.skip(f"{name} comes from Debian's archive")

    def fill(folder: Path) -> None:
        folder.mkdir(parents=True)
        fetched = subprocess.run(
            ["apt-get", "download", name], cwd=folder, capture_output=True, check=False
        )
        if fetched.returncode:
            pytest.skip(f"Debian's archive: {fetched.stderr.decode()[-200:]}")
        package = next(folder.glob(f"{name}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
        package.unlink()

    return made(name, b"debian", fill) / "usr" / "bin"


def made(name: str, content: bytes, fill: Callable[[Path], None]) -> Path:
    """The folder that `fill` made of a lock file's `content`, now or in an earlier run."""
    folder = CACHE / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"
    stamp = folder / ".complete"
    CACHE.mkdir(parents=True, exist_ok=True)
    with _alone(folder.with_suffix(".lock")):
        if not stamp.exists():
            shutil.rmtree(folder, ignore_errors=True)
            fill(folder)
            stamp.touch()
    return folder


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install(command: list[str], index: str) -> None:
    """Run an installer; the test is skipped if it failed for want of a network."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode == 0:
        return
    if not reachable(index):
        pytest.skip(f"not installed before, and {urlsplit(index).hostname} cannot be reached now")
    pytest.fail(f"cannot install: {' '.join(command)}\n{done.stdout}\n{done.stderr}")


def reachable(index: str) -> bool:
    """Whether this machine has a way to the package index, directly or by proxy."""
    proxy = os.environ.get("https_proxy") or os.environ.get("HTTPS_PROXY")
    place = urlsplit(proxy or index)
    port = place.port or (443 if place.scheme == "https" else 80)
    try:
        socket.create_connection((place.hostname, port), REACH_S).close()
    except OSError:
        return False
    return True


_TO_JSON = "import json,sys,yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)"


def documents_in(tools: Path, path: Path) -> list[Any]:
    """The documents of a YAML file, read by the YAML of other programs' environment."""
    with path.open() as file:
        done = subprocess.run(
            [tools / "python", "-c", _TO_JSON], stdin=file, capture_output=True, check=True
        )
    return json.loads(done.stdout)
