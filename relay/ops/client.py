"""The commands' side of the control socket."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, cast

import aiohttp
import orjson

from relay.errors import RelayError
from relay.ops.errors import DaemonUnreachable, NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from relay.rules.types import Json, JsonObject


async def ask(path: Path, route: str, arguments: JsonObject, timeout_s: float = 10.0) -> Json:
    """Call one route of the running daemon.

    Raises:
        DaemonUnreachable: nobody answers there, or not in time.
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
            status, body = answer.status, orjson.loads(await answer.read())
    except TimeoutError:
        raise DaemonUnreachable(
            f"the daemon on {path} did not answer within {timeout_s:g} s; what was ordered may"
            " still be under way: see `scim-relay status` and the log"
        ) from None
    except (aiohttp.ClientError, OSError, orjson.JSONDecodeError) as error:
        raise DaemonUnreachable(
            f"cannot reach the daemon on {path} ({type(error).__name__}); "
            "is it running, and may this user open the socket?"
        ) from None
    if status == HTTPStatus.OK:
        return cast("Json", body)
    kind = NotFound if status == HTTPStatus.NOT_FOUND else RelayError
    raise kind(str(body.get("error", f"the daemon answered {status}")))
