"""What `scim-relay check` looks at: one finding a line, with the cure when something is wrong.

Nothing here changes anything. Reaching the target costs two requests outside the pacer's window;
run it beside a live relay with that in mind.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import stat
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import aiohttp

from relay.rules.conditions import advice
from relay.settings.tokens import told
from relay.target.way import first_hop, way_of

if TYPE_CHECKING:
    from pathlib import Path

    from relay.clock import Clock
    from relay.settings import Settings

_LITTLE_SPACE_BYTES: Final = 1_000_000_000
_NO_SPACE_BYTES: Final = 100_000_000
_A_TOKEN: Final = 4_096
"""Bytes in which a token is: what has none is empty, whatever spaces stand there."""
_SKEW_S: Final = 30.0
_TIMEOUT_S: Final = 10.0
SOON_S: Final = 14 * 86_400.0
"""A token's end is told from here on; the alert begins at the same time."""
_PASSES: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS})
"""Answers to which the relay does the right thing: it holds everything, and waits."""
_NAMED_BY: Final = {"target": "target.url", "proxy": "HTTPS_PROXY"}
# The WAL-reset bug (libraries P3): fixed in these releases, and in all after the first.
_WAL_RESET_FIXED: Final = (3, 51, 3)
_WAL_RESET_BACKPORTS: Final = frozenset({(3, 50, 7), (3, 44, 6)})


class Level(StrEnum):
    """How bad it is; FAIL makes the command exit 1."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, and what to do about it."""

    level: Level
    what: str
    detail: str

    def __str__(self) -> str:
        return f"{self.level:<4}  {self.what}: {self.detail}"


def examine_files(settings: Settings) -> list[Finding]:
    """Every file the settings name: there, readable, and closed to others where it is a secret."""
    listen, target = settings.listen, settings.target
    named = [
        ("listen.tls_certificate", listen.tls_certificate, False),
        ("listen.tls_key", listen.tls_key, True),
        ("target.token_file", target.token_file, True),
        ("listen.client_ca", listen.client_ca, False),
        ("target.ca_file", target.ca_file, False),
        ("target.client_certificate", target.client_certificate, False),
        ("target.client_key", target.client_key, True),
        ("admin_api.token_file", settings.admin_api.token_file, True),
        *((f"connections.{c.name}.token_file", c.token_file, True) for c in settings.connections),
    ]
    return [_file(what, path, secret=secret) for what, path, secret in named if path is not None]


def examine_disk(path: Path) -> list[Finding]:
    """The database's directory: there, writable, with space left."""
    directory = path.parent
    if not directory.is_dir():
        return [Finding(Level.FAIL, "store.path", f"{directory} does not exist; create it")]
    if not os.access(directory, os.W_OK | os.X_OK):
        return [Finding(Level.FAIL, "store.path", f"cannot write in {directory}; chown it")]
    free = shutil.disk_usage(directory).free
    level = Level.OK
    if free < _LITTLE_SPACE_BYTES:
        level = Level.FAIL if free < _NO_SPACE_BYTES else Level.WARN
    cure = "" if level is Level.OK else "; make room, the relay answers 503 when the disk is full"
    return [Finding(level, "disk space", f"{free // 1_000_000} MB free in {directory}{cure}")]


def examine_sqlite(version: str) -> Finding:
    """Whether this SQLite has the WAL-reset bug of 3.7.0 to 3.51.2."""
    numbers = tuple(int(part) for part in version.split("."))
    if numbers >= _WAL_RESET_FIXED or numbers in _WAL_RESET_BACKPORTS:
        return Finding(Level.OK, "sqlite", version)
    return Finding(
        Level.WARN,
        "sqlite",
        f"{version} has the WAL-reset bug; the relay's one writer avoids it, but never open the "
        "database with another program while it runs; better install pysqlite3 >= 0.6.1",
    )


async def examine_target(settings: Settings, token: str | None, clock: Clock) -> list[Finding]:
    """DNS, TCP, TLS, the token and the clock, in this order, up to the first that fails.

    Where a proxy stands in between, it is the one that is looked up and connected to.
    """
    who, host, port = first_hop(way_of(settings.target), settings.target.url)
    found = [await _resolved(who, host, port)]
    if found[-1].level is not Level.FAIL:
        found.append(await _connected(who, host, port))
    if found[-1].level is Level.FAIL or token is None:
        return found
    try:
        return [*found, *await _asked(settings, token, clock)]
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        cure = "name the authority in target.ca_file" if _of_tls(error) else "look at the proxy"
        return [*found, Finding(Level.FAIL, "target request", f"{type(error).__name__}; {cure}")]


def read_token(settings: Settings) -> str | None:
    """The target's token, or None where it cannot be read (`examine_files` says why)."""
    if settings.target.token is not None:
        return settings.target.token.reveal()
    try:
        return settings.target.token_file.read_text("utf-8").strip() or None  # type: ignore[union-attr]  # the settings have one of the two
    except (OSError, UnicodeDecodeError):
        return None


def _file(what: str, path: Path, *, secret: bool) -> Finding:
    try:
        with path.open("rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            empty = not opened.read(_A_TOKEN).strip()
    except OSError as error:
        return Finding(Level.FAIL, what, f"cannot read {path} ({error.strerror}); mend the path")
    if empty:
        return Finding(Level.FAIL, what, f"{path} is empty; write what belongs there")
    if secret and mode & 0o007:
        return Finding(Level.WARN, what, f"{path} is open to everyone; chmod 0600 {path}")
    return Finding(Level.OK, what, str(path))


async def _resolved(who: str, host: str, port: int) -> Finding:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port)
    except OSError as error:
        detail = (
            f"cannot resolve {host} ({error.strerror}); check {_NAMED_BY[who]} and the resolver"
        )
        return Finding(Level.FAIL, f"{who} name", detail)
    addresses = sorted({str(each[4][0]) for each in found})
    return Finding(Level.OK, f"{who} name", f"{host} is {', '.join(addresses)}")


async def _connected(who: str, host: str, port: int) -> Finding:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            _reader, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        detail = f"cannot connect to {host} port {port}; check firewall and {_NAMED_BY[who]}"
        return Finding(Level.FAIL, f"{who} connection", detail)
    writer.close()
    return Finding(Level.OK, f"{who} connection", f"{host} port {port}")


async def _asked(settings: Settings, token: str, clock: Clock) -> list[Finding]:
    """The token, the clock, and whether TFE takes changes: two requests, the second tells a pause.

    Discovery needs a token and answers while SCIM is paused; `GET /Users?count=0` is refused then
    (contract, *Discovery* and *States an operator can put TFE in*).
    """
    way = way_of(settings.target)
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/scim+json"}
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S), headers=headers
    ) as session:
        ask = partial(
            session.get,
            ssl=way.context(),
            proxy=way.proxy(settings.target.url),
            allow_redirects=False,
        )
        async with ask(f"{settings.target.url}/ServiceProviderConfig") as answer:
            found = [_accepted(answer.status), _skew(answer.headers.get("Date"), clock)]
        if found[0].level is Level.OK:
            async with ask(f"{settings.target.url}/Users", params={"count": "0"}) as answer:
                found.append(_open(answer.status))
    return found


def _accepted(status: int) -> Finding:
    if status == HTTPStatus.OK:
        return Finding(Level.OK, "target token", "accepted")
    return _answered("target token", status)


def _open(status: int) -> Finding:
    if status == HTTPStatus.OK:
        return Finding(Level.OK, "target users", "readable: TFE takes SCIM requests")
    return _answered("target users", status)


def _answered(what: str, status: int) -> Finding:
    """What TFE's answer means, by the table of conditions; what passes by itself is a warning."""
    if status == HTTPStatus.NOT_FOUND:
        return Finding(Level.FAIL, what, "TFE answered 404: no SCIM there; check target.url")
    level = Level.WARN if status in _PASSES else Level.FAIL
    told = advice(status)
    return Finding(level, what, f"{told.condition} ({status}): {told.cause}; {told.cure}")


def _skew(date: str | None, clock: Clock) -> Finding:
    """The difference to TFE's clock: `Retry-After` may be a date."""
    try:
        theirs = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return Finding(Level.WARN, "clock", "TFE sent no readable Date; cannot compare")
    skew_s = clock.wall() - theirs
    if abs(skew_s) <= _SKEW_S:
        return Finding(Level.OK, "clock", "agrees with TFE's")
    return Finding(Level.WARN, "clock", f"{skew_s:+.0f} s from TFE's; synchronise it (chrony)")


def _of_tls(error: Exception) -> bool:
    return isinstance(error, ssl.SSLError | aiohttp.ClientSSLError)


def examine_tokens(settings: Settings, now: float) -> list[Finding]:
    """Tokens of identity providers that end soon, or are refused already."""
    found = []
    for connection in settings.connections:
        for token in connection.token_hash:
            what = f"connections.{connection.name}.token_hash"
            if token.ends is None or token.ends - now > SOON_S:
                continue
            name = f"the token {token.label}" if token.label else "a token"
            ends = "is refused since" if token.ends <= now else "ends"
            cure = (
                "put another one beside it, then take this one out (docs/how-to/rotate-tokens.md)"
            )
            detail = f"{name} {ends} {told(token.ends)}; {cure}"
            found.append(Finding(Level.WARN, what, detail))
    return found


def examine_guard(settings: Settings) -> list[Finding]:
    """A warning while no recovery account and no site-admin group is protected (issue 4)."""
    if settings.guard.protected_groups or settings.guard.protected_users:
        return []
    detail = (
        "nothing is protected: name the site-admin group in guard.protected_groups and the"
        " recovery accounts in guard.protected_users, so that no change touches them unasked"
    )
    return [Finding(Level.WARN, "guard", detail)]
