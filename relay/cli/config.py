"""The option `--config` that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from relay.settings import Settings

config_option = click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path),
    envvar="SCIM_RELAY_CONFIG",
    default=None,
    help="The TOML file; without it the environment is all there is.",
)


def settings_of(config: Path | None) -> Settings:
    """The settings of a file and the environment.

    Raises:
        SettingsError: as `relay.settings.load`.
    """
    from relay.settings import load

    return load(config)
