"""`scim-relay simulate`: a TFE stand-in on this machine until SIGINT or SIGTERM.

The token is never an argument (arguments are public) and never printed: it comes from a file or
the environment, or is minted into a file whose path is printed.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.rules.contract import PROFILES
from relay.simulator.behaviour import Latency, RateLimit, RetryForm, SimulatorSettings, Window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from enum import StrEnum

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class LatencyRange(click.ParamType[Latency]):
    """Milliseconds, `20`, or a range of them, `20-80`."""

    name = "ms[-ms]"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Latency:
        """The range as a value; fails with the accepted forms."""
        if isinstance(value, Latency):
            return value
        low, dash, high = str(value).partition("-")
        try:
            latency = Latency(float(low), float(high if dash else low))
        except ValueError:
            self.fail("give milliseconds, 20, or a range, 20-80", param, ctx)
        if latency.low_ms > latency.high_ms:
            self.fail("the range ends before it begins", param, ctx)
        return latency


def _values(choices: type[StrEnum]) -> click.Choice[str]:
    return click.Choice([choice.value for choice in choices])


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8181,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="0: any free one.",
)
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Use the token in this file; if there is no such file, mint one into it.",
)
@click.option("--token-env", metavar="NAME", help="Use the token in this environment variable.")
@click.option(
    "--admin-token-env",
    metavar="NAME",
    help="A site administrator's token for the admin API, from this environment variable.",
)
@click.option(
    "--profile",
    type=click.Choice(sorted(PROFILES)),
    default="tfe",
    show_default=True,
    help="Whose limits and semantics.",
)
@click.option("--rate", type=click.IntRange(0), help="Requests a second; 0: no limit.")
@click.option(
    "--window",
    type=_values(Window),
    default="sliding",
    show_default=True,
    help="How a second is counted.",
)
@click.option(
    "--retry-after",
    type=_values(RetryForm),
    default="seconds",
    show_default=True,
    help="The form of Retry-After with a 429.",
)
@click.option("--latency", type=LatencyRange(), default=Latency(), help="Thinking time.")
@click.option("--paused", is_flag=True, help="Start paused: 403 until resumed.")
@click.option(
    "--disabled", is_flag=True, help="Start with SCIM disabled: the admin API enables it."
)
@click.option("--keep-bodies", is_flag=True, help="Keep request bodies in the log.")
def simulate(  # noqa: PLR0913 - one parameter for each option
    *,
    host: str,
    port: int,
    token_file: Path | None,
    token_env: str | None,
    admin_token_env: str | None,
    profile: str,
    rate: int | None,
    window: str,
    retry_after: str,
    latency: Latency,
    paused: bool,
    disabled: bool,
    keep_bodies: bool,
) -> None:
    """Run a stand-in for Terraform Enterprise until interrupted.

    It keeps the contract of TFE's SCIM and admin API and is told to misbehave over its control API,
    which asks for no token: keep it on a loopback address.
    """
    settings = SimulatorSettings(
        host=host,
        port=port,
        admin_token=None if admin_token_env is None else _from_environment(admin_token_env),
        latency=latency,
        paused=paused,
        enabled=not disabled,
        keep_bodies=keep_bodies,
    ).for_profile(PROFILES[profile])
    limit = _limit(settings.limit, rate, window, retry_after)
    if host not in _LOOPBACK:
        click.echo(f"warning: anyone who reaches {host} can control the stand-in", err=True)
    with _token(token_file, token_env) as (token, place):
        asyncio.run(_run(replace(settings, limit=limit, token=token), place))


def _limit(given: RateLimit, rate: int | None, window: str, retry_after: str) -> RateLimit:
    return replace(
        given,
        rate=given.rate if rate is None else rate,
        window=Window(window),
        retry_after=RetryForm(retry_after),
    )


async def _run(settings: SimulatorSettings, place: str) -> None:
    from relay.simulator.server import simulator

    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    try:
        async with simulator(settings) as sim:
            click.echo(f"SCIM     {sim.url}")
            click.echo(f"control  {sim.control_url}")
            click.echo(f"token    {place}")
            click.echo(f"admin    {sim.admin_url}/api/v2")
            await stopped.wait()
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}"
        ) from error


@contextmanager
def _token(token_file: Path | None, token_env: str | None) -> Iterator[tuple[str, str]]:
    """The token and where it is; a file nobody named is removed at the end."""
    if token_file is not None and token_env is not None:
        raise click.UsageError("give --token-file or --token-env, not both")
    if token_env is not None:
        yield _from_environment(token_env), f"in the environment variable {token_env}"
    elif token_file is not None:
        yield _from_file(token_file), f"in {token_file}"
    else:
        with tempfile.TemporaryDirectory(prefix="scim-simulator-") as folder:
            path = Path(folder) / "token"
            yield _from_file(path), f"in {path}, until the stand-in stops"


def _from_environment(name: str) -> str:
    token = os.environ.get(name, "").strip()
    if not token:
        raise click.UsageError(f"the environment variable {name} is empty or not set")
    return token


def _from_file(path: Path) -> str:
    """The token in a file; minted into it, readable by its owner only, if there is none."""
    try:
        if path.exists():
            token = path.read_text().strip()
        else:
            token = f"scim-{secrets.token_urlsafe(24)}"
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(f"{token}\n")
    except OSError as error:
        raise click.ClickException(f"cannot use {path}: {error.strerror}") from error
    if not token:
        raise click.ClickException(f"cannot use {path}: it is empty")
    return token
