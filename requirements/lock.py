# ruff: noqa: INP001 - a script, not a package
"""Writes the locked requirements: every package with its version and the hashes of its files.

Run by `make lock`, inside a virtual environment that has pip-tools. The inputs are the tables of
`pyproject.toml`, so that a dependency is named once. `runtime.txt` is what an image installs,
`dev.txt` adds what tests and checks need; both hold the build backend, since the project itself
is installed without build isolation. The groups called `compliance-...` are resolved each by
itself. Extras are written (`coverage[toml]`): pip wants the pin under the very name it is asked
for, and takes the newest version for an extra that is not pinned. No index and no path of this
machine is written. Names of files as arguments: only those.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = (
    "--generate-hashes",
    "--allow-unsafe",
    "--no-strip-extras",
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-emit-trusted-host",
    "--quiet",
)


APART = "compliance-"


def wanted(project: dict[str, Any]) -> dict[str, list[str]]:
    """The requirements of each file, from the parsed `pyproject.toml`."""
    runtime = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    groups = project["dependency-groups"]
    apart = {name: found for name, found in groups.items() if name.startswith(APART)}
    return {"runtime": runtime, "dev": [*runtime, *groups["test"], *groups["check"]], **apart}


def lock(name: str, requirements: list[str], constraint: Path | None) -> Path:
    """Resolve one file; what `constraint` pins keeps its version."""
    target = ROOT / "requirements" / f"{name}.txt"
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / f"{name}.in"
        bound = [] if constraint is None else [f"-c {constraint}"]
        source.write_text("\n".join([*requirements, *bound]) + "\n", "utf-8")
        command = [sys.executable, "-m", "piptools", "compile", *OPTIONS]
        subprocess.run([*command, "-o", str(target), str(source)], check=True)  # noqa: S603
    return target


def main() -> None:
    """Lock the run-time first, `dev` without moving it, and the others by themselves."""
    files = wanted(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8")))
    for name in sys.argv[1:] or files:
        lock(name, files[name], ROOT / "requirements" / "runtime.txt" if name == "dev" else None)


if __name__ == "__main__":
    main()
