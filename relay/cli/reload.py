"""`scim-relay reload`: the configuration's connections anew, without a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from relay.cli.asking import ask_daemon, json_option, show_fields, show_json, socket_option
from relay.cli.config import config_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@config_option
@socket_option
@json_option
def reload(config: Path | None, socket: str | None, as_json: bool) -> None:
    """Have the daemon read its connections and their tokens again, as SIGHUP does.

    No request is refused for it. A file that cannot be used changes nothing and is told here. Other
    keys that were changed are listed as `needs restart`; `target.token_expires` is taken as well.
    """
    answer = ask_daemon(config, socket, "reload", {})
    assert isinstance(answer, dict)
    show_json(answer) if as_json else show_fields(answer)
