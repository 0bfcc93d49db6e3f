"""`scim-relay connections`: the identity providers' connections, and whose everything is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from relay.cli.asking import ORDER_S, ask_daemon, json_option, show_json, show_table, socket_option
from relay.cli.config import config_option
from relay.cli.holding import reason_option
from relay.cli.holds import rows_of

if TYPE_CHECKING:
    from pathlib import Path

_LISTED: Final = ("connection", "scope", "users", "groups")
_TOKENS: Final = ("connection", "token", "last_used", "ends", "days_left")
_GIVEN: Final = ("kind", "name", "id")


@click.group()
def connections() -> None:
    """Identity providers' connections, and whose users and groups are."""


@connections.command(name="list")
@config_option
@socket_option
@json_option
def list_(config: Path | None, socket: str | None, as_json: bool) -> None:
    """List connections, how many users and groups each owns, and its tokens.

    A line without a scope is of a connection that is configured no more, or of `nobody`: what
    Terraform Enterprise had before the relay, and no connection was given.
    """
    answer = ask_daemon(config, socket, "connections/list", {})
    if as_json or not isinstance(answer, list):
        show_json(answer)
        return
    rows = [row for row in answer if isinstance(row, dict)]
    show_table(rows, _LISTED)
    click.echo()
    show_table([token for row in rows for token in rows_of(row, "tokens")], _TOKENS)


@connections.command()
@click.argument("owner", metavar="FROM")
@click.argument("heir", metavar="TO")
@config_option
@socket_option
@json_option
@click.option("--user", "users", multiple=True, help="This user, by id or userName; repeatable.")
@click.option(
    "--group", "groups", multiple=True, help="This group, by id or displayName; repeatable."
)
@click.option("--kind", type=click.Choice(["User", "Group"]), help="Only users, or only groups.")
@click.option("--name", help="Whose name fits, in any case, e.g. '*@example.com'.")
@click.option("--all", "all_", is_flag=True, help="Everything that is FROM's.")
@reason_option
def transfer(
    owner: str,
    heir: str,
    config: Path | None,
    socket: str | None,
    as_json: bool,
    all_: bool,
    **options: Any,
) -> None:
    """Give users and groups of the connection FROM to the connection TO.

    FROM may be configured no more, and either may be `nobody`: `transfer nobody entra --all` gives
    what Terraform Enterprise had before the relay. It matters to connections with `scope = "own"`;
    nothing is sent to Terraform Enterprise for it.
    """
    question = {
        **options,
        "from": owner,
        "to": heir,
        "all": all_,
        "users": list(options["users"]),
        "groups": list(options["groups"]),
    }
    answer = ask_daemon(config, socket, "connections/transfer", question, ORDER_S)
    if as_json or not isinstance(answer, dict):
        show_json(answer)
        return
    click.echo(f"transferred: {answer['transferred']}")
    show_table(rows_of(answer, "resources"), _GIVEN)
