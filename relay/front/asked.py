"""One request that got past the door: who asks, where it goes, what it asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aiohttp import web

    from relay.front.queries import Query
    from relay.front.routes import Route
    from relay.front.settings import Connection, FrontSettings
    from relay.rules.types import JsonObject, Kind

_HOST: Final = re.compile(
    r"[A-Za-z0-9._~\-]{1,255}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of a known connection.

    Attributes:
        connection: whose token it carried.
        method: upper case.
        route: where it goes.
        query: its paging, filter and projection.
        base_url: what absolute addresses in the answer start with.
        body: the JSON object, or None for methods without one.
    """

    connection: Connection
    method: str
    route: Route
    query: Query
    base_url: str
    body: JsonObject | None = None

    @property
    def kind(self) -> Kind:
        """The resource type of the route; only for routes that have one."""
        assert self.route.kind is not None
        return self.route.kind


def base_url_of(request: web.BaseRequest, settings: FrontSettings) -> str:
    """Scheme, host and base path by which the client knows the relay.

    The client's `Host` is taken only if it looks like one: it is quoted in `meta.location`.
    """
    if settings.public_url:
        return settings.public_url.rstrip("/") + settings.base_path
    host = request.headers.get("Host", "")
    if not _HOST.fullmatch(host):
        host = "localhost"
    scheme = "https" if settings.tls else "http"
    return f"{scheme}://{host}{settings.base_path}"
