"""`scim-relay serve`: the daemon."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import click

from relay.cli.config import config_option, settings_of

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@config_option
def serve(config: Path | None) -> None:
    """Run the relay until it is told to stop by SIGTERM or SIGINT; SIGHUP is `reload`."""
    # Until there is one who hears it, SIGHUP would end the process.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    settings = settings_of(config)
    from relay.app import run

    sys.exit(run(settings, config))
