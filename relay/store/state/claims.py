"""A claim: one request that a lane is about to send, and all that settling it needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from relay.rules.verdict import Outcome

if TYPE_CHECKING:
    from relay.rules.planner_types import Request
    from relay.rules.types import Field, Fields, JsonObject, Kind
    from relay.rules.verdict import Verdict


class Purpose(StrEnum):
    """Why a request is sent."""

    WRITE = "write"  # it brings TFE closer to desired
    LOOKUP = "lookup"  # it settles a doubt: does TFE have a resource of this name or externalId
    READ = "read"  # it settles a doubt about a bound id
    VERIFY = "verify"  # it checks what an ambiguous attempt left behind (K2)


@dataclass(frozen=True, slots=True)
class Before:
    """What was known of the touched keys before they were marked unknown.

    Attributes:
        fields: `(key, unknown)` of the resource's own keys.
        members: `(user row, confirmed)` of the memberships.
    """

    fields: tuple[tuple[int, int], ...] = ()
    members: tuple[tuple[int, int], ...] = ()

    @property
    def doubtful(self) -> bool:
        """Whether one of them was unknown already: an earlier attempt may still take effect."""
        return any(unknown for _, unknown in self.fields) or any(
            confirmed == UNKNOWN for _, confirmed in self.members
        )


UNKNOWN = 2
"""`member.confirmed` of a membership that an attempt may or may not have changed."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A request whose attempt row is on disk and which has not been sent yet.

    Attributes:
        attempt: the attempt's id, sent as `X-Request-Id`.
        resource: the store's key of its resource.
        kind: of that resource.
        purpose: why it is sent.
        request: what is sent; a read's query is part of its path.
        through: it covers changes up to this one.
        sent: the desired fields as the plan saw them.
        written: the shadow's attributes behind those fields, by `Field`.
        adds: user rows by TFE id that it adds.
        removes: user rows by TFE id that it removes.
        keys: the effects on the resource's own keys that it takes up; a part of an unfolded plan
            leaves the others as they were.
        before: to put back if it certainly had no effect.
        asked: for a look-up, the `(attribute, value)` that a found object is compared with.
        detour: a temporary name that breaks a ring of names (S3), or None.
        why: why the planner chose this request, for the log; empty for a read.
    """

    attempt: int
    resource: int
    kind: Kind
    purpose: Purpose
    request: Request
    through: int
    sent: Fields | None = None
    written: JsonObject = field(default_factory=dict)
    adds: tuple[tuple[int, str], ...] = ()
    removes: tuple[tuple[int, str], ...] = ()
    keys: tuple[int, ...] = ()
    before: Before = Before()
    asked: tuple[str, str] | None = None
    detour: str | None = None
    why: str = ""

    @property
    def proves(self) -> bool:
        """Whether its success says that TFE knows ids of ours (K5).

        A DELETE proves nothing: TFE answers it alike for groups that exist and that do not.
        """
        if self.purpose is Purpose.WRITE:
            bound = not (self.request.creates or self.request.deletes)
            return bound or bool(self.adds)
        return self.reads_back

    def unlearns(self, verdict: Verdict) -> bool:
        """Whether the verdict denies an id of ours, so that believing it would unlearn that id.

        A PATCH's own id, and a DELETE's, is asked for again before it is believed; members are not.
        """
        return verdict.outcome is Outcome.MISSING and (self.reads_back or bool(self.adds))

    @property
    def reads_back(self) -> bool:
        """Whether a 404 says that TFE does not have the resource at all."""
        return self.purpose in (Purpose.READ, Purpose.VERIFY)

    @property
    def fields(self) -> frozenset[Field]:
        """The fields it brings over."""
        return self.request.fields
