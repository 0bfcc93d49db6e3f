"""Every command that a page, a message or a unit tells somebody to type exists, options included."""

import ast
import re
import subprocess
from pathlib import Path

import click
import pytest
from support.pages import PAGES, ROOT, quoted

from relay.cli.root import COMMANDS, HELP, scim_relay

SOURCES = sorted((ROOT / "relay").rglob("*.py"))


def context_of(command, name, parent=None):
    # With the names of the real group: click keeps the option `--help` that it makes of them.
    return click.Context(command, info_name=name, parent=parent, help_option_names=HELP)


def found(words):
    """The command of some words, and the words that are left for it."""
    command, context = scim_relay, context_of(scim_relay, "scim-relay")
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        inner = command.get_command(context, words[0])
        assert inner is not None, f"there is no `{context.command_path} {words[0]}`"
        command, context = inner, context_of(inner, words[0], context)
        words = words[1:]
    return command, context, list(words)


def objection(one):
    """What click would say to a quoted command; None if nothing."""
    try:
        command, context, rest = found(one.words)
        given, left, _ = command.make_parser(context).parse_args(rest)
    except click.BadOptionUsage as error:
        return str(error) if one.whole else None
    except (AssertionError, click.UsageError) as error:
        return str(error)
    missing = [each.name for each in command.params if each.required and not given.get(each.name)]
    if one.whole and (missing or left):
        return f"missing: {missing}, too much: {left}"
    return None


def wrong(text):
    return {
        " ".join(one.words): said
        for one in quoted(text, COMMANDS)
        if (said := objection(one)) is not None
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_exist_with_their_options(page):
    assert wrong(page.read_text()) == {}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_that_a_message_names_exist(source):
    texts = [
        node.value
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]

    assert wrong("\n\n".join(text for text in texts if "scim-relay " in text)) == {}


@pytest.mark.parametrize(
    "text",
    [
        "`scim-relay statsu`",
        "`scim-relay status --jsno`",
        "`token new|hsah`",
        "```sh\nscim-relay pause\n```",
        "```sh\nuntil scim-relay health --config; do sleep 1; done\n```",
        "```sh\n/opt/bin/scim-relay status now > file\n```",
    ],
)
def test_a_command_that_is_none_is_found(text):
    assert wrong(text) != {}


def test_a_block_is_read_as_a_shell_would():
    text = '```sh\nkubectl exec x -- scim-relay pause \\\n  --reason "a b" && echo scim # scim-relay\n```'

    assert [one.words for one in quoted(text, COMMANDS)] == [("pause", "--reason", "a b")]


@pytest.mark.parametrize("name", ["image", "run"])
def test_the_scripts_of_ci_can_be_read_by_bash_and_type_commands_that_exist(name):
    script = ROOT / ".ci" / name
    done = subprocess.run(["bash", "-n", script], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert wrong(f"```sh\n{script.read_text()}\n```\n") == {}


def test_the_units_run_commands_that_exist():
    for unit in Path(ROOT / "systemd").glob("*.service"):
        lines = unit.read_text().replace("\\\n", " ").replace("%%", "%")
        starts = re.findall(r"^ExecStart=(.+)", lines, re.MULTILINE)
        blocks = "".join(f"```sh\n! {start.replace(chr(39), ' ; ')}\n```\n" for start in starts)
        assert list(quoted(blocks, COMMANDS))
        assert wrong(blocks) == {}
