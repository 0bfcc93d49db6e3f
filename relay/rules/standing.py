"""Why a user or a group is not in Terraform Enterprise as its identity provider wrote it.

Pure: from the facts that the store has of one resource to causes and next steps, the one that must
be dealt with first being the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from relay.rules import conditions
from relay.rules.effects import EffectState
from relay.rules.facts import Parked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from relay.rules.facts import Facts, Pending, Standing


class Why(StrEnum):
    """What keeps something from being in step."""

    UNKNOWN = "not known to the relay"
    NOT_READ = "TFE is still being read"
    PARKED = "parked"
    DELETED = "deleted"
    SUSPENDED = "suspended"
    HOLD = "hold"
    GUARD = "held by the guard"
    NAME = "waits for a name"
    USER = "waits for a user"
    ROOM = "waits for room"
    OWED = "owed"
    REFUSED = "tried again later"
    SENDING = "being sent"
    QUEUED = "queued"
    REJECTED = "rejected by an operator"
    DRIFT = "changed in TFE"
    TEAM_PAUSED = "team paused"
    NO_TEAM = "no team"
    IN_STEP = "in step"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that an operator should know of a resource: cause and next step."""

    why: Why
    cause: str
    cure: str = "nothing"


def unknown(kind: str, name: str, *, complete: bool) -> list[Finding]:
    """What to say of somebody the relay never heard of."""
    found = []
    if not complete:
        found.append(
            Finding(
                Why.NOT_READ,
                "what Terraform Enterprise has is still being read",
                "ask again when `scim-relay status` says `import: complete`",
            )
        )
    thing = "user" if kind == "User" else "group"
    cause = (
        f"no identity provider has sent the {thing} {name!r} to this relay, and Terraform"
        " Enterprise has none of that name through SCIM"
    )
    cure = (
        "look at the identity provider's provisioning log: is it assigned, in scope, and mapped to"
        f" {'userName' if kind == 'User' else 'displayName'}? Then provision it on demand there"
    )
    return [*found, Finding(Why.UNKNOWN, cause, cure)]


def explain(facts: Facts, holds: Sequence[Standing]) -> list[Finding]:
    """Everything that keeps a resource from being in step; `Why.IN_STEP` alone if nothing does."""
    found = [*_parked(facts), *_pending(facts, holds), *_apart(facts), *_life(facts)]
    if not any(one.why is not Why.SUSPENDED for one in found) and facts.state == "live":
        found.append(Finding(Why.IN_STEP, "Terraform Enterprise confirmed all that was written"))
    return found


def waits_for(facts: Facts, holds: Sequence[Standing]) -> list[Finding]:
    """What a pending change of a resource waits for: nothing that was refused or seen before."""
    return list(_pending(facts, holds))


def explain_pending(one: Pending, facts: Facts, holds: Sequence[Standing]) -> Finding:
    """Why one effect is not settled."""
    if one.state is EffectState.HELD:
        return _guarded(one)
    if one.state is EffectState.PARKED:
        return _refused_for_good(facts.kind, Parked(one.change, one.status, one.detail))
    if holds:
        return _hold(holds[0], one.what)
    if one.state is EffectState.WAITING:
        return _waiting(one)
    if one.status is not None:
        return _again(one, facts)
    return _queued(one, facts)


def _parked(facts: Facts) -> Iterator[Finding]:
    for one in facts.parked:
        yield _refused_for_good(facts.kind, one)


def _refused_for_good(kind: str, one: Parked) -> Finding:
    told = conditions.advice(one.status, kind)
    said = " ".join(str(part) for part in (one.status, one.detail) if part is not None)
    return Finding(
        Why.PARKED,
        f"change {one.change} was refused for good ({said}): {told.cause}",
        conditions.next_step(told, one.change),
    )


def _life(facts: Facts) -> Iterator[Finding]:
    by = ""
    if facts.last is not None:
        by = f" by change {facts.last.change} of {facts.last.connection}"
    if facts.state in {"deleted", "gone"}:
        yield Finding(
            Why.DELETED,
            f"it was deleted{by}: "
            + (
                "TFE takes the SCIM identity away, suspends the user and revokes site admin"
                if facts.kind == "User"
                else "TFE takes the group away; linked teams stay as they are"
            ),
            "if that is wrong, have the identity provider create it again: it becomes a new one",
        )
    elif facts.suspended:
        yield Finding(
            Why.SUSPENDED,
            "the identity provider sent active=false: TFE suspends the user, and keeps the SCIM"
            " identity and its groups",
            "if that is wrong, have the identity provider activate the user again",
        )


def _pending(facts: Facts, holds: Sequence[Standing]) -> Iterator[Finding]:
    """Each reason once, however many effects have it."""
    seen = set()
    for one in facts.pending:
        found = explain_pending(one, facts, holds)
        if found.cause not in seen:
            seen.add(found.cause)
            yield found


def _guarded(one: Pending) -> Finding:
    return Finding(
        Why.GUARD,
        f"the guard holds {one.what} of change {one.change}: {one.held_by}",
        f"`scim-relay holds list --change {one.change}`, then `holds approve` or `holds reject`",
    )


def _hold(standing: Standing, what: str) -> Finding:
    told = conditions.HOLDS[standing.hold]
    cause = f"{what} waits: nothing is sent while the hold `{standing.hold}` stands: {told.cause}"
    return Finding(Why.HOLD, f"{cause} ({standing.reason})", told.cure)


def _waiting(one: Pending) -> Finding:
    if one.member is not None:
        cause = f"{one.what} waits for the user, whom Terraform Enterprise does not have yet"
        return Finding(Why.USER, cause, f"`scim-relay explain user {one.member}`")
    cause = f"{one.what} waits until the group has room: removals are held, owed or on their way"
    return Finding(Why.ROOM, cause, "look at what else is said of the group")


def _again(one: Pending, facts: Facts) -> Finding:
    told = conditions.advice(one.status, facts.kind)
    said = f"TFE refused {one.what} ({one.status} {one.detail or ''}".rstrip() + ")"
    again = f"it is tried again in {max(one.due_in_s, 0):.0f} s"
    if one.revokes:
        cause = f"{said}, and access stays until it takes it: {again}, for ever: {told.cause}"
        cure = "mend the cause; if it must be gone now, a site administrator takes it away in TFE"
        return Finding(Why.OWED, cause, f"{cure}; {told.cure}")
    return Finding(Why.REFUSED, f"{said}; {again}: {told.cause}", told.cure)


def _queued(one: Pending, facts: Facts) -> Finding:
    if facts.behind is not None:
        cause = f"{one.what} waits for the name, which {facts.behind} has until its own change"
        return Finding(Why.NAME, cause, f"`scim-relay explain {facts.kind.lower()} {facts.behind}`")
    if facts.lane == "sending":
        return Finding(Why.SENDING, f"{one.what} is on its way to Terraform Enterprise now")
    if one.due_in_s > 0:
        cause = f"{one.what} is tried again in {one.due_in_s:.0f} s"
        cure = f"`scim-relay changes show {one.change}` has every attempt"
        return Finding(Why.REFUSED, cause, cure)
    return Finding(
        Why.QUEUED,
        f"{one.what} is in the queue, {facts.ahead} older lanes before it",
        "nothing; `scim-relay status` shows the rate",
    )


def _apart(facts: Facts) -> Iterator[Finding]:
    for what, who in facts.rejected:
        yield Finding(
            Why.REJECTED,
            f"Terraform Enterprise keeps {what} as it was: {who}",
            "nothing if that was right; else have the identity provider write it again",
        )
    for what in facts.drift:
        yield Finding(
            Why.DRIFT,
            f"somebody changed it in Terraform Enterprise: {what}",
            "`scim-relay reconcile` puts it back",
        )
