"""One request that got past the door: who asks, where it goes, what it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relay.front.queries import Query
    from relay.front.routes import Route
    from relay.front.settings import Connection
    from relay.rules.types import JsonObject, Kind


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
        arrived: wall time of its head.
    """

    connection: Connection
    method: str
    route: Route
    query: Query
    base_url: str
    body: JsonObject | None = None
    arrived: float = 0.0

    @property
    def kind(self) -> Kind:
        """The resource type of the route; only for routes that have one."""
        assert self.route.kind is not None
        return self.route.kind
