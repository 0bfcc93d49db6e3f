"""What is known of one resource, for whoever explains it: frozen values, in an operator's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relay.rules.effects import EffectState


@dataclass(frozen=True, slots=True)
class Pending:
    """One effect that is not settled.

    Attributes:
        state: open, waiting, held or parked.
        change: the last change that wrote it.
        what: in an operator's words.
        revokes: it takes access away.
        held_by: the guard's rule, or None.
        due_in_s: seconds until it is tried again; 0 or less: now.
        status: TFE's status when it refused it before, or None.
        detail: TFE's words then.
        member: the user's name of a membership whose user TFE does not have, or None.
    """

    state: EffectState
    change: int
    what: str
    revokes: bool = False
    held_by: str | None = None
    due_in_s: float = 0.0
    status: int | None = None
    detail: str | None = None
    member: str | None = None


@dataclass(frozen=True, slots=True)
class Parked:
    """A change that TFE refused for good."""

    change: int
    status: int | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Last:
    """The last change of a resource."""

    change: int
    verb: str
    connection: str
    ago_s: float


@dataclass(frozen=True, slots=True)
class Membership:
    """A group that a user is in, should be in, or is to leave.

    Attributes:
        group: its name, as the identity provider knows it.
        part: the part of a large group that the user is placed in, by its name in TFE, or None.
        wanted: whether the identity provider wants it.
        confirmed: whether TFE has it; None while a request under way leaves that open (K1).
        pending: what of it is not settled, or None.
    """

    group: str
    part: str | None
    wanted: bool
    confirmed: bool | None
    pending: Pending | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the store has of one resource.

    Attributes:
        kind: User or Group.
        name: its `userName` or `displayName`.
        id: as the identity provider knows it.
        tfe_id: as TFE knows it, or None.
        state: live, parked, deleted (on its way), gone.
        suspended: a user whom the identity provider switched off.
        last: its last change, or None (it was only ever read from TFE).
        lane: the state of its lane, or None if nothing is to be sent.
        ahead: lanes that are older.
        behind: who has the name it waits for, or None.
        pending: the first of the effects that are not settled.
        parked: changes that TFE refused for good, the newest first.
        rejected: what an operator rejected: `(what, who and why)`.
        drift: what a comparison found changed in TFE.
        memberships: of a user.
        members: of a group: how many are wanted, and how many TFE has.
    """

    kind: str
    name: str
    id: str
    tfe_id: str | None
    state: str
    suspended: bool
    last: Last | None
    lane: str | None = None
    ahead: int = 0
    behind: str | None = None
    pending: tuple[Pending, ...] = ()
    parked: tuple[Parked, ...] = ()
    rejected: tuple[tuple[str, str], ...] = ()
    drift: tuple[str, ...] = ()
    memberships: tuple[Membership, ...] = ()
    members: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Standing:
    """A hold: its name and what was seen."""

    hold: str
    reason: str


@dataclass(frozen=True, slots=True)
class Follower:
    """A team that follows a group."""

    team: str
    paused: bool
