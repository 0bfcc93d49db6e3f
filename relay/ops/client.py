"""The commands' side of the control socket."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

import aiohttp
import orjson

from relay import __version__
from relay.errors import RelayError
from relay.ops.errors import DaemonUnreachable, NotFound, OtherVersion

if TYPE_CHECKING:
    from pathlib import Path

    from relay.rules.types import Json, JsonObject

VERSION: Final = "X-Scim-Relay-Version"
"""What each answer of a daemon carries; earlier releases did not."""


async def ask(path: Path, route: str, arguments: JsonObject, timeout_s: float = 10.0) -> Json:
    """Call one route of the running daemon.

    Raises:
        DaemonUnreachable: nobody answers there, or not in time.
        OtherVersion: what answers there does not know the route.
        NotFound: what the arguments name does not exist.
        RelayError: the daemon refused; the message is its own.
    """
    limits = aiohttp.ClientTimeout(total=timeout_s)
    connector = aiohttp.UnixConnector(path=str(path))
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=limits) as session,
            session.post(f"http://control/{route}", data=orjson.dumps(arguments)) as answer,
        ):
            status, text = answer.status, await answer.read()
            version = answer.headers.get(VERSION)
    except TimeoutError:
        raise DaemonUnreachable(
            f"the daemon on {path} did not answer within {timeout_s:g} s; what was ordered may"
            " still be under way: see `scim-relay status` and the log"
        ) from None
    except (aiohttp.ClientError, OSError) as error:
        raise DaemonUnreachable(
            f"cannot reach the daemon on {path} ({type(error).__name__}); "
            "is it running, and may this user open the socket?"
        ) from None
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:  # the server's own words: no route has answered
        raise _unanswered(path, route, status, version) from None
    if status == HTTPStatus.OK:
        return cast("Json", body)
    kind = NotFound if status == HTTPStatus.NOT_FOUND else RelayError
    raise kind(str(body.get("error", f"the daemon answered {status}")))


def _unanswered(path: Path, route: str, status: int, version: str | None) -> RelayError:
    """Why there is an answer, and none of a route."""
    if status != HTTPStatus.NOT_FOUND:
        return RelayError(
            f"the daemon on {path} failed at {route} ({status}), which is a fault of its own:"
            " see its log, and report it"
        )
    its = "an earlier release" if version is None else f"version {version}"
    return OtherVersion(
        f"cannot order {route}: the daemon on {path} is of {its} and does not know it, this command"
        f" is of version {__version__}; restart the daemon on the release of this command"
        " (`systemctl restart scim-relay`), or use the command that was installed with it"
    )
