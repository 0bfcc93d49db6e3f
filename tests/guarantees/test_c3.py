"""C3: what exists is documented, and what is documented exists."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import click
import pytest

from relay.cli.docs import pages
from relay.cli.exits import Exit
from relay.cli.root import COMMANDS, walk
from relay.settings.load import load, variables
from relay.telemetry import events
from relay.telemetry.metrics import Metrics, described

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"


def first_cells(page):
    """The names in code in the first column of a page's tables."""
    return set(re.findall(r"^\| `?([^`|]+?)`? \|", (REFERENCE / page).read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_generated_page_is_up_to_date(name):
    assert (ROOT / name).read_text() == pages()[name](), "run `make pages`"


def test_the_sample_configuration_is_accepted(tmp_path):
    text = (ROOT / "config" / "relay.toml").read_text()
    path = tmp_path / "relay.toml"
    path.write_text(text)

    assert load(path).target.url == tomllib.loads(text)["target"]["url"]


def test_every_setting_is_documented_and_every_documented_one_exists():
    keys = {".".join(where) for where in variables().values() if len(where) == 2}
    documented = {cell for cell in first_cells("settings.md") if "." in cell}

    assert {cell for cell in documented if not cell.startswith(("connections.", "links."))} == keys


def test_every_metric_is_documented_and_every_documented_one_exists():
    exposed = set(
        re.findall(r"^# TYPE (scim_relay_\w+)", Metrics().exposition().decode(), re.MULTILINE)
    )
    names = {name for name, *_ in described(Metrics())}

    assert {cell for cell in first_cells("metrics.md") if cell.startswith("scim_relay_")} == names
    assert names == {name for name in exposed if not name.endswith("_created")}


def test_every_log_event_is_documented_and_every_documented_one_exists():
    constants = {
        value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)
    }

    assert constants == set(events.FIELDS)
    assert {cell for cell in first_cells("log-events.md") if "." in cell} == constants


def test_every_exit_code_is_documented_and_every_documented_one_exists():
    documented = {cell for cell in first_cells("exit-codes.md") if cell.isdigit()}

    assert documented == {str(code.value) for code in Exit}


def test_every_command_is_documented_and_every_documented_one_exists():
    text = (REFERENCE / "commands.md").read_text()

    assert re.findall(r"^## `scim-relay (.+)`$", text, re.MULTILINE) == [n for n, _ in walk()]


def test_every_option_says_what_it_is_for():
    options = [
        (name, option)
        for name, command in walk()
        for option in command.params
        if isinstance(option, click.Option)
    ]

    assert [(name, option.opts) for name, option in options if not option.help] == []


def test_help_imports_no_command():
    modules = {module for module, _ in COMMANDS.values()}
    code = (
        "import sys; from click.testing import CliRunner; from relay.cli.root import scim_relay\n"
        "assert CliRunner().invoke(scim_relay, ['--help']).exit_code == 0\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )

    assert modules.isdisjoint(loaded.stdout.split())
    assert "pydantic" not in loaded.stdout.split()


def test_locked_requirements_name_no_index_and_hash_everything():
    for name in ("runtime.txt", "dev.txt"):
        text = (ROOT / "requirements" / name).read_text()
        pinned = re.findall(r"^[a-z0-9][\w.-]*(?:\[[a-z,]+\])?==[^ ]+.*\\$", text, re.MULTILINE)

        assert pinned
        assert not re.search(r"https?://|file://|--index|--find-links|--extra", text)
        assert len(pinned) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE))


def test_an_extra_that_a_locked_package_asks_for_is_pinned_under_its_name():
    # pip takes the newest release for `name[extra]` when only `name` is pinned, and then refuses it.
    pinned = (ROOT / "requirements" / "dev.txt").read_text()
    names = re.findall(r"^([a-z0-9][\w.-]*)", pinned, re.MULTILINE)
    asked = {
        found[1]
        for name in names
        for line in metadata.requires(name) or ()
        if "extra ==" not in line and (found := re.match(r"([\w.-]+\[[\w,-]+\])", line))
    }

    assert asked
    assert {each for each in asked if f"\n{each}==" not in pinned} == set()
