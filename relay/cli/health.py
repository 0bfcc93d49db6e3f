"""`scim-relay health`: whether a running relay is ready, for container health checks."""

from __future__ import annotations

import http.client
import sys
from typing import TYPE_CHECKING, Final

import click

from relay.cli.config import config_option, settings_of
from relay.cli.exits import Exit

if TYPE_CHECKING:
    from pathlib import Path

_TIMEOUT_S: Final = 3.0
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


@click.command()
@config_option
def health(config: Path | None) -> None:
    """Ask a running relay whether it is ready."""
    address = settings_of(config).metrics.address
    if address is None:
        click.echo("cannot ask: metrics.address is empty; give it an address", err=True)
        sys.exit(Exit.BAD_CONFIGURATION)
    host = _EVERYWHERE.get(address.host, address.host)
    connection = http.client.HTTPConnection(host, address.port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        click.echo(answer.read().decode().strip())
    except OSError as error:
        click.echo(f"cannot reach {address}: {error.strerror or 'no answer'}", err=True)
        sys.exit(Exit.UNREACHABLE)
    finally:
        connection.close()
    sys.exit(Exit.OK if answer.status == http.HTTPStatus.OK else Exit.TROUBLE)
