"""The man page as mandoc reads it, which is stricter than groff and what Alpine and the BSDs have."""

import subprocess
from pathlib import Path

import pytest
from environments import debian_programs

pytestmark = pytest.mark.compliance
PAGE = Path(__file__).resolve().parents[2] / "docs" / "man" / "scim-relay.1"


def test_mandoc_has_nothing_to_say_about_the_page():
    mandoc = debian_programs("mandoc") / "mandoc"
    done = subprocess.run(
        [mandoc, "-T", "lint", "-W", "style", PAGE], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, "")
