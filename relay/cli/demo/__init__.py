"""`scim-relay demo`: the main job in one terminal, live, measured and checked.

One process has a stand-in for TFE and a scripted identity provider of Entra's shape; the relay is
its child, so that it can be killed. Nothing leaves this machine, and nothing is left behind.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from relay.cli.demo.acts import Options
    from relay.cli.demo.report import Report
    from relay.cli.demo.screen import Screen
    from relay.cli.demo.script import Script

INTERRUPTED: Final = 128 + signal.SIGINT
"""The exit code of a demo that was stopped, as shells give it."""


@click.command()
@click.option(
    "--users", type=click.IntRange(6, 5000), default=60, show_default=True, help="How many."
)
@click.option(
    "--groups", type=click.IntRange(1, 500), default=6, show_default=True, help="How many."
)
@click.option(
    "--connections",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="Of the identity provider.",
)
@click.option(
    "--rate",
    type=click.IntRange(1, 100),
    default=10,
    show_default=True,
    help="Requests a second that TFE takes.",
)
@click.option("--seed", default=1, show_default=True, help="The same seed, the same people.")
@click.option("--plain", is_flag=True, help="One line a second, no colours.")
@click.option("--keep", is_flag=True, help="Keep the relay's database, configuration and log.")
def demo(
    *, users: int, groups: int, connections: int, rate: int, seed: int, plain: bool, keep: bool
) -> None:
    """Watch the relay work: a first cycle, a pause of TFE, a kill -9, the replay.

    Ends with exit code 0 only if TFE behind the relay holds exactly what the
    identity provider wants.
    """
    from relay.cli.demo.acts import Options
    from relay.cli.demo.screen import screen_for, summarise
    from relay.cli.demo.script import written

    folder = Path(tempfile.mkdtemp(prefix="scim-demo-"))
    try:
        with screen_for(plain=plain) as screen:
            screen.say(
                f"{users} users, {groups} groups, {connections} connections, TFE takes {rate}/s"
            )
            options = Options(rate=rate, connections=connections, folder=folder)
            report = asyncio.run(_stoppable(written(users, groups, seed), options, screen))
        summarise(report)
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo("\nstopped; all that the demo had started has ended", err=True)
        sys.exit(INTERRUPTED)
    finally:
        if keep:
            click.echo(f"kept: {folder}")
        else:
            shutil.rmtree(folder)
    sys.exit(report.exit_code)


async def _stoppable(script: Script, options: Options, screen: Screen) -> Report:
    """The play; SIGTERM ends it as Ctrl-C does, so that no relay is left without a parent."""
    from relay.cli.demo.acts import perform

    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    return await perform(script, options, screen)
