"""The tutorial from a clean checkout, its installation included."""

import os
import shutil
import subprocess

import pytest
from environments import PYTHON_INDEX, reachable
from support.pages import ROOT
from support.tutorial import INSTALLS, lines, type_into_a_shell

pytestmark = [pytest.mark.compliance, pytest.mark.timeout(600)]


@pytest.fixture
def checkout(tmp_path):
    """What is under version control, and nothing else."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    if listed.returncode != 0:
        pytest.skip("this is no checkout of git")
    folder = tmp_path / "checkout"
    for name in listed.stdout.decode().strip("\0").split("\0"):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


async def test_every_line_works_from_a_clean_checkout(checkout, unused_tcp_port_factory):
    if not reachable(PYTHON_INDEX):
        pytest.skip("the tutorial installs packages")
    typed = lines(unused_tcp_port_factory)
    # A reader's path: neither this virtual environment nor an installation of ours.
    path = ":".join(
        part for part in os.environ["PATH"].split(":") if not shutil.which("scim-relay", path=part)
    )

    code, shown = await type_into_a_shell(typed, checkout, path, 500)

    assert code == 0, shown
    assert sum(INSTALLS in line for line in typed) == 4
    assert "scim_relay_owed_revocations 0.0" in shown
