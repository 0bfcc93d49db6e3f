"""The image's first stage, replayed by its own lines on this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 10_001
"""The user of the image."""
STAGE = (ROOT / "Dockerfile").read_text().split("\nFROM ")[1].splitlines()


def replayed(folder: Path) -> Path:
    """The prefix that the stage makes below a folder."""
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if python is None:
        pytest.skip("no python3 that a user without rights may run")
    opened(folder)
    source, prefix = folder / "src", folder / "prefix"
    source.mkdir()
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for line in STAGE:
        word, *rest = line.split()
        if word == "COPY":
            _copy(rest, source)
        elif word == "RUN":
            command = " ".join(rest).replace("/opt/tfe-scim-relay", str(prefix))
            command = re.sub(r"^python ", f"{python} ", command)
            subprocess.run(["sh", "-ec", command], cwd=source, env=environ, check=True, timeout=400)
    return prefix


def opened(folder: Path) -> None:
    """Let another user pass through to this folder of a test."""
    for one in (folder, *folder.parents):
        if "pytest-" in str(one):
            one.chmod(0o755)


def _copy(words: list[str], target_folder: Path) -> None:
    """A COPY line of the Dockerfile: a folder, or files into a folder."""
    *names, target = words
    for name in names:
        copied = target_folder / (name if target == "./" else target)
        copied.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copied, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copied)
