"""What the store gives out and takes in: frozen values, never rows or cursors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from relay.rules.types import Kind

if TYPE_CHECKING:
    from relay.rules.types import JsonObject

SHORT_ROSTER: Final = 100
"""A roster of at most so many members is part of a settlement, and of the answer to a PATCH."""


class ChangeState(StrEnum):
    """Where a change stands. Conservation: accepted = the sum of all the others."""

    PENDING = "pending"  # an effect it wrote is open
    DELIVERED = "delivered"  # TFE acknowledged all it wrote, or nothing had to be sent
    REFUSED = "refused"  # TFE refused it and the client was told so live; rolled back
    PARKED = "parked"  # TFE refused it for good after the client was answered
    DROPPED = "dropped"  # an operator ended it


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a roster as the IdP sees it, or one group that a user is in.

    Attributes:
        id: its public id.
        display: its name.
        kind: User or Group.
        indirect: of a group that a user is in: through a nested group only.
    """

    id: str
    display: str
    kind: Kind = Kind.USER
    indirect: bool = False


@dataclass(frozen=True, slots=True)
class Resource:
    """A User or Group as the IdP sees it.

    Attributes:
        row: the store's own key.
        kind: User or Group.
        public_id: the id answers carry; valid for ever, as is every alias of it.
        shadow: what the IdP wrote, attributes TFE does not keep included; no id, meta, members.
        created: seconds since the epoch.
        modified: seconds since the epoch.
        members: the roster, or of a user the groups it is in; None when it was not asked for.
    """

    row: int
    kind: Kind
    public_id: str
    shadow: JsonObject
    created: float
    modified: float
    members: tuple[Member, ...] | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a change that a client waits for ended: the store settles the waiting future with it.

    Attributes:
        state: DELIVERED, or REFUSED with TFE's own status and words.
        resource: as it is now, a roster longer than `SHORT_ROSTER` left out; None after a DELETE
            or a refused create.
        status: TFE's HTTP status for a refusal.
        scim_type: TFE's `scimType` for a refusal, or None.
        detail: TFE's words for a refusal.
    """

    state: ChangeState
    resource: Resource | None = None
    status: int | None = None
    scim_type: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A write that is on disk.

    Attributes:
        change: the change's id, never used again.
        resource: as the IdP may be told now; None after a DELETE.
        repeat: this was a POST already accepted (semantics A1): answer 201 with the same id.
        wait: TFE may answer soon; `Store.settlement` waits for it. False: answer at once.
        left_out: ids of groups that were to be members and are not (G26).
    """

    change: int
    resource: Resource | None
    repeat: bool = False
    wait: bool = False
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListQuery:
    """A list request after parsing (RFC 7644 section 3.4.2).

    Attributes:
        equals: `(key, value)` for a look-up that has an index; key is one of `id`, `userName`,
            `displayName`, `externalId`, `emails.value`, `members.value`; None for none. Names and
            addresses compare without regard to case, ids exactly.
        start: 1-based index of the first result.
        count: results wanted, already capped; 0 asks for the total only.
        members: whether groups carry their rosters, and users the groups they are in.
    """

    equals: tuple[str, str] | None = None
    start: int = 1
    count: int = 100
    members: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: the total of all matches and this page's resources, in stable order."""

    total: int
    resources: tuple[Resource, ...]
