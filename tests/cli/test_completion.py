"""A key pressed in a real shell completes commands, options and values."""

import asyncio
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from relay.cli.completion import SHELLS
from relay.cli.root import COMMANDS, HIDDEN, scim_relay

PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
ASKED = """
source <(scim-relay completion bash)
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
_scim_relay_completion scim-relay
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = b"autoload -Uz compinit; compinit -D -u; "
TYPED_INTO = {"bash": (("--norc", "--noprofile", "-i"), b""), "zsh": (("-f", "-i"), ZSH)}


def needs(shell):
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


def completed(*words):
    """What bash would offer for the last of the words."""
    done = subprocess.run(
        ["bash", "--norc", "-ec", ASKED, "bash", "scim-relay", *words],
        capture_output=True, check=True, text=True, env={**os.environ, "PATH": PATH},
    )  # fmt: skip
    return done.stdout.split()


@needs("bash")
def test_commands_subcommands_options_and_their_values_are_offered():
    assert set(completed("")) == set(COMMANDS) - HIDDEN
    assert completed("holds", "") == ["approve", "list", "reject"]
    assert completed("changes", "list", "--st") == ["--state"]
    assert completed("changes", "list", "--state", "p") == ["pending", "parked"]


@pytest.mark.parametrize("shell", [pytest.param(one, marks=needs(one)) for one in TYPED_INTO])
async def test_a_tab_typed_into_a_shell_writes_the_rest_of_the_command(shell):
    ours, theirs = pty.openpty()
    options, before = TYPED_INTO[shell]
    process = await asyncio.create_subprocess_exec(
        *(shell, *options),
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        env={"PATH": PATH, "PS1": "$ ", "TERM": "dumb", "HOME": "/nonexistent", "HISTFILE": ""},
    )  # fmt: skip
    os.close(theirs)
    seen = b""

    async def until_seen(wanted):
        nonlocal seen
        async with asyncio.timeout(30):
            while wanted not in seen:
                seen += await asyncio.to_thread(os.read, ours, 1000)
        seen = b""

    load = f"source <(scim-relay completion {shell}); echo read''y\n".encode()
    os.write(ours, before + load)
    await until_seen(b"\nready")
    os.write(ours, b"scim-relay recon\t")
    await until_seen(b"reconcile ")
    os.write(ours, b"--his\x15exit\n")
    assert await process.wait() == 0
    os.close(ours)


@needs("fish")
def test_fish_offers_commands_options_and_values_with_what_they_are_for():
    asked = (
        "source (scim-relay completion fish | psub);"
        " complete -C 'scim-relay holds '; complete -C 'scim-relay changes list --st';"
        " complete -C 'scim-relay changes list --state p'"
    )
    done = subprocess.run(
        ["fish", "--no-config", "-c", asked],
        capture_output=True, check=True, text=True, env={**os.environ, "PATH": PATH},
    )  # fmt: skip
    offered = [line.split("\t") for line in done.stdout.splitlines()]

    names = ["approve", "list", "reject", "--state", "parked", "pending"]
    assert [name for name, *_ in offered] == names
    assert offered[3] == ["--state", "In this state."]


def test_a_key_imports_no_command():
    code = (
        "import sys, click; from relay.cli.root import scim_relay\n"
        "names = scim_relay.shell_complete(click.Context(scim_relay), '')\n"
        "assert 'reconcile' in [one.value for one in names]\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )

    assert {module for module, _ in COMMANDS.values()}.isdisjoint(loaded.stdout.split())


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_named_gets_a_script_that_asks_the_program(shell):
    result = CliRunner().invoke(scim_relay, ["completion", shell])

    assert result.exit_code == 0
    assert f"_SCIM_RELAY_COMPLETE={shell}_complete" in result.output


def test_another_shell_is_told_which_there_are():
    result = CliRunner().invoke(scim_relay, ["completion", "tcsh"])

    assert result.exit_code == 2
    assert "'bash', 'fish', 'zsh'" in result.output
