"""What the planner takes and gives: a resource's difference, and the requests that end it.

Carries no rule of its own; `relay.rules.planner` decides. Every id in here is TFE's, never the
relay's: translation happens in the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relay.rules.types import Field, Fields, JsonObject, Kind


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How one resource differs between the directory and TFE, at one moment.

    Attributes:
        kind: User or Group.
        target_id: TFE's id; None: TFE does not have it, so it must be created.
        desired: what TFE shall hold; None: the resource must not exist.
        confirmed: what TFE last acknowledged; None if unknown or absent.
        open: fields to bring over: they differ, or are unknown (unknown always is sent, K1).
        add: ids of TFE users to add to the roster.
        remove: ids of TFE users to take off the roster.
        size: members TFE may hold now at most, confirmed and unknown ones together.
        roster: the complete desired roster if wholly known. None: `Replace members` may not be
            used, since it would take off whoever is not named.
    """

    kind: Kind
    target_id: str | None
    desired: Fields | None
    confirmed: Fields | None
    open: frozenset[Field]
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    size: int = 0
    roster: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One legal request to TFE and what its success settles.

    Attributes:
        method: POST, PATCH or DELETE.
        path: relative to the SCIM base, ids percent-encoded: `/Users`, `/Groups/ID`.
        body: the JSON to send; None for a DELETE.
        fields: the fields it brings over.
        add: the ids it adds to the roster.
        remove: the ids it takes off the roster.
        whole_roster: it replaces the roster: its success settles every member of the snapshot.
        creates: it brings the resource into being; the answer carries TFE's id.
        deletes: it ends the resource.
    """

    method: str
    path: str
    body: JsonObject | None
    fields: frozenset[Field]
    add: tuple[str, ...]
    remove: tuple[str, ...]
    whole_roster: bool = False
    creates: bool = False
    deletes: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Requests in the order they must be sent, and why these, for `changes show` and the log."""

    requests: tuple[Request, ...]
    reason: str
