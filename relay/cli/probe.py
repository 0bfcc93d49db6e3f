"""`scim-relay probe`: every assumption of the contract, tried on a TFE that can be spared."""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import orjson

from relay import __version__
from relay.cli.asking import json_option, show_json
from relay.cli.config import config_option, settings_of
from relay.cli.exits import Exit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from relay.probe.runner import Finding
    from relay.probe.session import Session
    from relay.settings import Settings

_WARNING: Final = (
    "This creates and deletes users and groups named zz-relay-* in {url}.\n"
    "Terraform Enterprise keeps the accounts of deleted users, suspended: probe a staging"
    " installation."
)
_CONNECTIONS: Final = 40
"""As many as `--burst` sends at once."""


@click.command()
@config_option
@json_option
@click.option("--members", is_flag=True, help="Fill a group past its limit too: 1,001 users.")
@click.option(
    "--burst", is_flag=True, help="Ask 40 times at once too: others get 429 for a second."
)
@click.option("--keep", type=click.Path(path_type=Path), help="Write what was measured here.")
@click.option("--clean", is_flag=True, help="Only delete what an interrupted probe left.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def probe(
    config: Path | None,
    *,
    as_json: bool,
    members: bool,
    burst: bool,
    keep: Path | None,
    clean: bool,
    yes: bool,
) -> None:
    """Try every assumption about Terraform Enterprise on an installation that can be spared.

    Each line is an assumption, what was seen, and whether it holds. What is made is deleted again,
    also when this is interrupted. `--keep FILE` writes limits and accepted forms; name the file in
    `target.profile_file` and the relay keeps to them. Exit code 1 if anything differs.
    """
    settings = settings_of(config)
    if not yes:
        click.echo(_WARNING.format(url=settings.target.url), err=True)
        click.confirm("Go on?", abort=True, err=True)
    if clean:
        click.echo(f"deleted: {asyncio.run(_clean(settings))}")
        return
    options = {name for name, given in (("members", members), ("burst", burst)) if given}
    found = asyncio.run(_probe(settings, options, as_json=as_json))
    if keep is not None:
        _keep(keep, found, settings)
    sys.exit(Exit.TROUBLE if any(one.seen.verdict == "differs" for one in found) else Exit.OK)


async def _probe(settings: Settings, options: set[str], *, as_json: bool) -> list[Finding]:
    from relay.probe import runner

    found = []
    async with _session(settings) as tfe:
        await runner.ready(tfe)
        async for one in runner.findings(tfe, options):
            found.append(one)
            _show(one, as_json=as_json)
        if not as_json:
            click.echo(_summary(found, tfe))
    return found


async def _clean(settings: Settings) -> int:
    from relay.probe import cleaning, runner

    async with _session(settings) as tfe:
        await runner.ready(tfe)
        return await cleaning.sweep(tfe)


@asynccontextmanager
async def _session(settings: Settings) -> AsyncIterator[Session]:
    """A conversation that SIGTERM ends as Ctrl-C does: by cancelling, so that it cleans up."""
    from relay.clock import SystemClock
    from relay.pace.pacer import Pacer
    from relay.probe.session import Session
    from relay.target.client import Endpoint, TargetClient
    from relay.target.token import FixedToken, TokenFile
    from relay.target.way import way_of

    target = settings.target
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    endpoint = Endpoint(
        target.url,
        timeout_s=target.timeout.total_seconds(),
        concurrency=_CONNECTIONS,
        way=way_of(target),
    )
    if target.token_file is not None:
        token: FixedToken | TokenFile = TokenFile(target.token_file)
    else:
        assert target.token is not None, "the settings have one of the two"
        token = FixedToken(target.token.reveal())
    async with TargetClient(endpoint, token, SystemClock()) as client:
        yield Session(client, Pacer(target.rate), secrets.token_hex(3))


def _show(one: Finding, *, as_json: bool) -> None:
    if not as_json:
        head = f"{one.seen.verdict:<8} {one.assumption.name:<22} {one.assumption.says}"
        click.echo(f"{head}\n{'':8} {'':22} seen: {one.seen.what}")
        return
    show_json(
        {
            "assumption": one.assumption.name,
            "says": one.assumption.says,
            "seen": one.seen.what,
            "verdict": one.seen.verdict.value,
            "limits": dict(one.seen.limits),
            "forms": dict(one.seen.forms),
        }
    )


def _summary(found: list[Finding], tfe: Session) -> str:
    verdicts = [one.seen.verdict.value for one in found]
    counted = ", ".join(
        f"{verdicts.count(name)} {name}" for name in ("holds", "differs", "noted", "unknown")
    )
    return f"{counted}; {tfe.requests} requests, {tfe.throttled} of them throttled"


def _keep(path: Path, found: list[Finding], settings: Settings) -> None:
    from relay.probe.kept import profile_json

    now = datetime.now(UTC).isoformat(timespec="seconds")
    content = profile_json(found, settings.target.url, now, __version__)
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")
    click.echo(f"kept in {path}; name it in target.profile_file", err=True)
