"""Everything the front needs of others, as protocols: the directory, the way to TFE, metrics.

`relay.store.Store` is the `Directory`; `app` makes the `Upstream` of delivery's parts, so that
front and delivery meet in the store only.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from relay.rules.types import JsonObject, Kind, Write
    from relay.store.state.records import Accepted, ListQuery, Page, Resource, Settlement


class Source(StrEnum):
    """Whose word an answer is."""

    FRONT = "front"  # the front itself: discovery, errors
    DIRECTORY = "directory"  # the directory's view
    TARGET = "target"  # TFE answered in time


class Refusal(StrEnum):
    """Why the front turned a client away, for `FrontMetrics.refused`."""

    TOKEN = "token"  # noqa: S105 - a label
    TOKEN_RATE = "token_rate"  # noqa: S105 - a label
    TOKEN_ENDED = "token_ended"  # noqa: S105 - a label
    SIZE = "size"
    SLOW = "slow"
    SYNTAX = "syntax"
    MEDIA_TYPE = "media_type"
    CONNECTIONS = "connections"
    MONITORS = "monitors"  # at `metrics.address`
    BUSY = "busy"
    GATE = "gate"
    ADDRESS = "address"
    SCOPE = "scope"


class Directory(Protocol):
    """All resources and memberships as identity providers see them; every write is durable.

    Every method may raise `Unavailable` (disk full, locked, backlog at its limit).
    """

    def accept(
        self,
        connection: str,
        write: Write,
        resource_id: str | None,
        /,
        *,
        patient: bool,
        strict: bool,
        most_members: int,
        arrived: float,
        own: bool,
    ) -> Awaitable[Accepted]:
        """Put a write on disk and into the directory.

        Args:
            connection: the name of the identity provider's connection.
            write: the request in normal form.
            resource_id: the id in the path; None for a creation.
            patient: the front would wait for TFE's answer.
            strict: the client is never told success that TFE has not given, so that it waits for
                whatever is not settled yet.
            most_members: the answer shows a roster of at most so many members.
            arrived: wall time of the request's head.
            own: the connection may change only what it created or was given.

        Raises:
            Refused: it can never succeed (400, 403, 404, 409, 413).
        """
        ...

    def settlement(self, change: int, /) -> Awaitable[Settlement]:
        """Wait until TFE's answer has settled the change; at once if it has. Cancel-safe."""
        ...

    def answer_from_directory(self, change: int, /) -> Awaitable[Settlement | None]:
        """The timer won: the client gets the directory's answer, unless TFE won after all (A2)."""
        ...

    def client_gone(self, change: int, /) -> Awaitable[None]:
        """Nobody waits for this change any more: a refusal is parked, not rolled back (A2)."""
        ...

    def answered(self, change: int, /) -> None:
        """The answer was wholly written to a live socket: a repeated POST is a 409 (A1)."""
        ...

    def get(self, kind: Kind, resource_id: str, /, *, members: bool) -> Awaitable[Resource | None]:
        """One resource by any id it was ever given; with its roster if `members`."""
        ...

    def why_missing(self, kind: Kind, resource_id: str, /) -> Awaitable[JsonObject | None]:
        """TFE's refusal (`status`, `detail`) of the creation that minted this id, or None."""
        ...

    def list(self, kind: Kind, query: ListQuery, /) -> Awaitable[Page]:
        """A page of all, or of what an indexed equality finds."""
        ...

    def public_ids(self, ids: Collection[str], /) -> Awaitable[Mapping[str, str]]:
        """The public ids of what these ids name; unknown ones are left out."""

    def scan(
        self, kind: Kind, predicate: Callable[[Resource], bool], query: ListQuery, /
    ) -> Awaitable[Page]:
        """A page of what `predicate` accepts. It runs on the reader's thread and must be pure.

        Raises:
            Refused: there is more to look through than the cap (400, `tooMany`).
        """
        ...


class Upstream(Protocol):
    """What the front may ask of the side that talks to TFE."""

    def gate(self, *, writing: bool) -> str | None:
        """Why provisioning calls are 503 now, or None.

        TFE's token was never accepted; or, for writes, an operator drains the relay.
        """
        ...

    def import_complete(self) -> bool:
        """Whether the directory holds all that TFE holds."""
        ...

    def silent_s(self) -> float:
        """Seconds for which TFE asked not to be asked; 0 if it did not."""
        ...

    def fetch(self, kind: Kind, key: str, value: str, /) -> Awaitable[None]:
        """Look one resource up in TFE and put it into the directory, if it is there.

        Args:
            kind: of which resource.
            key: `id`, `userName`, `displayName` or `externalId`.
            value: what to look for.

        Raises:
            Unavailable: TFE cannot be asked.
        """
        ...


class FrontMetrics(Protocol):
    """What the front counts."""

    def observe(self, route: str, status: int, source: str, seconds: float, /) -> None:
        """A request was answered."""
        ...

    def refused(self, reason: str, /) -> None:
        """A client was turned away; `reason` is one of `Refusal`."""
        ...

    def unexpected_error(self) -> None:
        """A request failed by a fault of ours."""
        ...
