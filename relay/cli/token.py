"""`scim-relay token`: tokens for identity providers, printed once, kept as hashes.

A token is 256 random bits, so an unsalted SHA-256 of it cannot be searched for; what a person
thought up does not qualify, hence `hash` refuses short ones.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
from typing import TYPE_CHECKING, Final

import click

from relay.cli.asking import ask_daemon, show_fields, socket_option
from relay.cli.config import config_option
from relay.cli.exits import Exit
from relay.cli.holding import reason_option
from relay.errors import RelayError

if TYPE_CHECKING:
    from pathlib import Path

_BITS: Final = 256
_SHORTEST: Final = 24  # characters; Okta and Entra take up to some hundred


def hash_of(token: str) -> str:
    """What `connections.token_hash` wants for a token."""
    return f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"


@click.group()
def token() -> None:
    """Make tokens for identity providers; replace the one for Terraform Enterprise."""


@token.command()
@click.option("--label", default="", help="Its name in `status`; part of what is printed.")
@click.option("--expires", default="", help="From when it is refused, e.g. 2027-06-30 (UTC).")
def new(label: str, expires: str) -> None:
    """Print a new token, once, and its hash for the configuration."""
    fresh = secrets.token_urlsafe(_BITS // 8)
    line = hash_of(fresh)
    line += f" label={label}" if label else ""
    line += f" expires={expires}" if expires else ""
    _refuse_unreadable(line)
    click.echo(f"token = {fresh}")
    click.echo(f"token_hash = {line}")
    click.echo("Give the token to the identity provider now: it is shown only once.", err=True)


def _refuse_unreadable(line: str) -> None:
    """What the configuration would not take is not printed.

    Raises:
        RelayError: the label or the end is no such thing.
    """
    from relay.settings.tokens import parse_token

    try:
        parse_token(line)
    except ValueError as error:
        raise RelayError(f"cannot make it: {error}") from None


@token.command()
@config_option
@socket_option
@reason_option
def rotate(config: Path | None, socket: str | None, reason: str) -> None:
    """Replace the SCIM token in `target.token_file`, by way of TFE's admin API.

    A new token is made, written to the file and tried; only then the old one is deleted. Where TFE
    does not tell which one was the relay's, none is deleted: `deleted` is empty then.
    """
    answer = ask_daemon(config, socket, "token/rotate", {"reason": reason})
    assert isinstance(answer, dict)
    show_fields(answer)


@token.command(name="hash")
def hash_() -> None:
    """Read a token from standard input and print its hash."""
    given = sys.stdin.readline().strip()
    if len(given) < _SHORTEST:
        click.echo(f"cannot hash: shorter than {_SHORTEST} characters; use `token new`", err=True)
        sys.exit(Exit.TROUBLE)
    click.echo(hash_of(given))
