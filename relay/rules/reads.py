"""The reads that TFE documents, as requests: probes, look-ups, pages (contract)."""

from __future__ import annotations

from urllib.parse import quote

from relay.rules.planner_forms import resource_path
from relay.rules.planner_types import Request
from relay.rules.types import Kind


def read(path: str) -> Request:
    """A GET, which brings nothing over."""
    return Request("GET", path, None, frozenset(), (), ())


def probe() -> Request:
    """The gentlest request that a paused TFE refuses; answers the number of users."""
    return read("/Users?count=0")


def discovery() -> Request:
    """Answered while SCIM is paused: it proves the token and nothing else."""
    return read("/ServiceProviderConfig")


def by_id(kind: Kind, target_id: str) -> Request:
    """One resource by TFE's id."""
    return read(resource_path(kind, target_id))


def existence(kind: Kind, target_id: str) -> Request:
    """The same without a group's roster, which may be 1,000 long."""
    rosterless = "?excludedAttributes=members" if kind is Kind.GROUP else ""
    return read(resource_path(kind, target_id) + rosterless)


def page(kind: Kind, start: int, count: int) -> Request:
    """A page of a list, rosters included; `start` is 1-based."""
    return read(f"/{kind.plural}?startIndex={start}&count={count}")


def find(kind: Kind, attribute: str, value: str) -> Request:
    """Look up by `userName`, `displayName` or `externalId`: the only filters TFE has.

    Two results are asked for: more than one says that the filter was not honoured.
    """
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    text = f'{attribute} eq "{escaped}"'
    return read(f"/{kind.plural}?filter={quote(text, safe='')}&count=2")
