"""`scim-relay salvage`: what can still be read of a damaged database."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.cli.asking import json_option, show_fields, show_json
from relay.cli.exits import Exit

if TYPE_CHECKING:
    from relay.rules.types import JsonObject


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--into", required=True, type=click.Path(path_type=Path), help="The new file; not there yet."
)
@json_option
def salvage(file: Path, into: Path, as_json: bool) -> None:
    """Copy what can be read of FILE, the database of a relay that is stopped, to a new file.

    FILE is not written. A relay that is started on the new file takes the hold `restored`:
    Terraform Enterprise is read anew, and nothing is sent before an operator has compared.
    """
    from relay.store.file.salvaging import salvage as save

    found = save(file.resolve(), into, time.time())
    shown: JsonObject = {
        "rows": dict(found.rows),
        "lost": list(found.lost),
        "undecodable": list(found.undecodable),
    }
    if as_json:
        show_json(shown)
    else:
        show_fields(shown)
    if found.lost or found.undecodable:
        sys.exit(Exit.TROUBLE)
