"""The man page: every command and option is in it, and groff has nothing to say about it."""

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from relay.cli.root import walk

PAGE = Path(__file__).resolve().parents[2] / "docs" / "man" / "scim-relay.1"


def sections():
    """The text of each command's part of the page, without the escapes of roff."""
    commands = PAGE.read_text().split("\n.SH COMMANDS\n")[1].split("\n.SH ")[0]
    plain = re.sub(r"\\f[BR]", "", commands).replace("\\-", "-")
    parts = re.split(r"^\.SS (.+)\n", plain, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_command_has_a_part_with_all_its_options():
    found = sections()

    assert list(found) == [name for name, _ in walk()]
    for name, command in walk():
        for option in command.params:
            if isinstance(option, click.Option):
                assert re.search(rf"^{option.opts[0]}\b", found[name], re.MULTILINE), (name, option)


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_warns_of_nothing():
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", PAGE], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
