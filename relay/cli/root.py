"""The group `scim-relay`: finds a subcommand's module when it is named, and maps errors to exits.

Errors of the one tree become one line and an exit code; anything else is a fault of ours: exit 70.
"""

from __future__ import annotations

import importlib
import keyword
import sys
import traceback
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import CompletionItem

from relay import __version__
from relay.cli.exits import Exit
from relay.errors import AlreadyRunning, RelayError, SettingsError, StoreRefused
from relay.ops.errors import DaemonUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMANDS: Final = {
    "audit": ("relay.cli.audit", "Who decided what, and which request delivered it."),
    "backup": ("relay.cli.backup", "Copy the database of a running relay."),
    "changes": ("relay.cli.changes", "What became of accepted writes."),
    "check": ("relay.cli.check", "Examine configuration, files, target and disk."),
    "completion": ("relay.cli.completion", "Make a shell complete commands and options."),
    "connections": ("relay.cli.connections", "Connections, and whose users and groups are."),
    "demo": ("relay.cli.demo", "Relay, stand-in and a scripted IdP, live in one process."),
    "docs": ("relay.cli.docs", "Print a generated page."),
    "drain": ("relay.cli.drain", "Take no more writes and deliver what is there."),
    "explain": ("relay.cli.explain", "Why a user or group is not in TFE as it should be."),
    "erase": ("relay.cli.erase", "Leave nothing of a person in the database."),
    "groups": ("relay.cli.groups", "Groups that are larger than Terraform Enterprise takes."),
    "health": ("relay.cli.health", "Ask a running relay whether it is ready."),
    "holds": ("relay.cli.holds", "What waits for an operator, and the decision on it."),
    "ids": ("relay.cli.ids", "Ids that identity providers hold, and TFE's own."),
    "import": ("relay.cli.rebuild", "How far TFE was read; take it over as it is now."),
    "links": ("relay.cli.links", "Which team follows which group, as configured."),
    "pause": ("relay.cli.holding", "Send nothing until `resume`."),
    "probe": ("relay.cli.probe", "Try the contract on a TFE that can be spared."),
    "rebuild": ("relay.cli.rebuild", "Create everything again after TFE was wiped."),
    "reconcile": ("relay.cli.reconcile", "Compare Terraform Enterprise with what it confirmed."),
    "reload": ("relay.cli.reload", "Read the configuration's connections again."),
    "resume": ("relay.cli.holding", "Go on sending."),
    "salvage": ("relay.cli.salvage", "Save what can be read of a damaged database."),
    "serve": ("relay.cli.serve", "Run the relay."),
    "shape": ("relay.cli.shape", "How old what waits is, by kind and cause."),
    "simulate": ("relay.cli.simulate", "Run a stand-in for Terraform Enterprise."),
    "site": ("relay.cli.site", "What only a site administrator of Terraform Enterprise sees."),
    "status": ("relay.cli.status", "Show what a running relay is doing."),
    "support-bundle": ("relay.cli.support_bundle", "What a supporter needs, in one file."),
    "verify": ("relay.cli.backup", "Tell whether a backup could be used."),
    "token": ("relay.cli.token", "Tokens for identity providers, and TFE's."),
}
HELP: Final = ["-h", "--help"]
HIDDEN: Final = frozenset({"docs"})


class LazyGroup(click.Group):
    """Imports a subcommand's module when the subcommand is named; `--help` imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name but the hidden ones."""
        del ctx
        return [name for name in COMMANDS if name not in HIDDEN]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The object of that name in the module of that name, or None for an unknown name.

        A name that Python keeps for itself has an underscore behind it there, and what is a
        hyphen here is one there.
        """
        del ctx
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name.replace("-", "_")
        found = getattr(importlib.import_module(COMMANDS[cmd_name][0]), name)
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of `--help`, from the table above."""
        rows = [(name, COMMANDS[name][1]) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names and options from here: a press of a key imports no command."""
        options = click.Command.shell_complete(self, ctx, incomplete)
        names = (name for name in self.list_commands(ctx) if name.startswith(incomplete))
        return [*(CompletionItem(name, help=COMMANDS[name][1]) for name in names), *options]


@click.group(cls=LazyGroup, context_settings={"help_option_names": HELP})
@click.version_option(__version__, prog_name="scim-relay")
def scim_relay() -> None:
    """A durable SCIM relay between identity providers and Terraform Enterprise."""


def walk() -> Iterator[tuple[str, click.Command]]:
    """Every command that is not hidden, subcommands after their group."""
    context = click.Context(scim_relay)
    for name in scim_relay.list_commands(context):
        command = scim_relay.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            for inner, subcommand in sorted(command.commands.items()):
                yield f"{name} {inner}", subcommand


def exit_of(error: RelayError) -> Exit:
    """The exit code of an error that reached the command line."""
    match error:
        case SettingsError():
            return Exit.BAD_CONFIGURATION
        case AlreadyRunning():
            return Exit.ALREADY_RUNNING
        case StoreRefused():
            return Exit.STORE_REFUSED
        case DaemonUnreachable():
            return Exit.UNREACHABLE
    return Exit.TROUBLE


def main() -> None:
    """The entry point: runs the command line and exits."""
    try:
        scim_relay()
    except RelayError as error:
        click.echo(f"scim-relay: {error}", err=True)
        sys.exit(exit_of(error))
    except Exception as error:  # noqa: BLE001 - the outermost boundary: exit 70, never 1
        # Without local variables, and without the message's own values: both may hold a secret.
        click.echo(f"scim-relay: internal error: {type(error).__name__}", err=True)
        traceback.print_tb(error.__traceback__)
        sys.exit(Exit.INTERNAL)
