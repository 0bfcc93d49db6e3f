"""Discovery documents, rendered once for each base URL and kind of client (RFC 7644 section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.errors import Refused
from relay.front.answers import Answer, encoded
from relay.front.routes import Endpoint
from relay.rules import discovery
from relay.rules.view import list_body

if TYPE_CHECKING:
    from relay.front.asked import Asked
    from relay.rules.types import JsonObject

_MAX_CLIENTS: Final = 16  # a client chooses its `Host`: the cache must not grow with it
_Key = tuple[Endpoint, str | None]
_Client = tuple[str, bool]  # base URL, whether `password` is declared


class Documents:
    """Answers discovery out of memory."""

    def __init__(self) -> None:
        self._by_client: dict[_Client, dict[_Key, bytes]] = {}

    def answer(self, asked: Asked) -> Answer:
        """The document of the route.

        Raises:
            Refused: 404 for an unknown schema or type, 403 for a filter (RFC 7644 section 4).
        """
        if asked.query.filter is not None:
            raise Refused(403, "discovery endpoints cannot be filtered")
        documents = self._documents((asked.base_url, asked.connection.declare_password))
        body = documents.get((asked.route.endpoint, asked.route.id))
        if body is None:
            raise Refused(404, f"there is no {asked.route.id} here")
        return Answer(200, body)

    def _documents(self, client: _Client) -> dict[_Key, bytes]:
        known = self._by_client.get(client)
        if known is None:
            if len(self._by_client) >= _MAX_CLIENTS:
                self._by_client.clear()
            known = self._by_client[client] = _rendered(*client)
        return known


def _rendered(base_url: str, password: bool) -> dict[_Key, bytes]:
    config = discovery.service_provider_config(base_url)
    documents: dict[_Key, bytes] = {(Endpoint.CONFIG, None): encoded(config)}
    _add(documents, Endpoint.RESOURCE_TYPES, discovery.resource_types(base_url))
    _add(documents, Endpoint.SCHEMAS, discovery.schemas(base_url, password=password))
    return documents


def _add(documents: dict[_Key, bytes], endpoint: Endpoint, resources: list[JsonObject]) -> None:
    documents[endpoint, None] = encoded(list_body(len(resources), 1, resources))
    for resource in resources:
        documents[endpoint, str(resource["id"])] = encoded(resource)
