"""Decides which requests take TFE from what it holds to what the directory wants.

Pure: a `Snapshot` and a target's limits go in, a `Plan` comes out. The plan is always legal by
the contract and never longer than the shortest possible one plus one request. It never decides
*when* anything is sent, and never looks at why the resource differs: folding is the diff itself.

One cost function chooses between the two ways to change a roster. Requests count first, since
the target's rate is what is scarce. At equal counts single steps win: `Replace members` takes
off whoever TFE holds and the directory does not know, and cannot be repeated after somebody
else's write without undoing it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.rules import planner_forms as forms
from relay.rules.planner_packing import Packer
from relay.rules.planner_types import Plan, Request, Snapshot
from relay.rules.types import Field, Fields, Kind

if TYPE_CHECKING:
    from relay.rules.contract import TargetProfile

__all__ = ["Plan", "Request", "Snapshot", "plan"]

_NOTHING: frozenset[Field] = frozenset()


def plan(snapshot: Snapshot, profile: TargetProfile) -> Plan:
    """The shortest legal list of requests that ends the difference; empty if there is none.

    A create is planned alone: what does not fit its body is planned again once TFE has given the
    id the following requests need.

    Raises:
        ValueError: one step alone is longer than a body may be, a user to be created has no
            address, or an id cannot stand in a URL. The front lets none of these in.
    """
    if snapshot.desired is None:
        return _deletion(snapshot)
    if snapshot.target_id is None:
        return _creation(snapshot, snapshot.desired, profile)
    path = forms.resource_path(snapshot.kind, snapshot.target_id)
    steps = _steps(snapshot, snapshot.desired, path, profile)
    whole = _whole_roster(snapshot, snapshot.desired, path, profile)
    chosen = steps if whole is None else min(steps, whole, key=_cost)
    return Plan(chosen, _reason(snapshot, chosen, len(steps)))


def _cost(requests: tuple[Request, ...]) -> tuple[int, int]:
    """Requests first, then how many of them rewrite a roster (see the module's docstring)."""
    return len(requests), sum(request.whole_roster for request in requests)


def _deletion(snapshot: Snapshot) -> Plan:
    if snapshot.target_id is None:
        return Plan((), "nothing to send: TFE does not have it")
    path = forms.resource_path(snapshot.kind, snapshot.target_id)
    return Plan((Request("DELETE", path, None, _NOTHING, (), (), deletes=True),), "delete")


def _creation(snapshot: Snapshot, desired: Fields, profile: TargetProfile) -> Plan:
    """One POST with as many members as the limits on members and bytes let in."""
    kind = snapshot.kind
    room = profile.max_body_bytes - forms.encoded_size(forms.post(kind, desired))
    if room < 0:
        raise ValueError(f"cannot plan a POST of a {kind.value}: its body would be too long")
    members = _fitting(snapshot.add[: profile.max_members], room - len(',"members":[]'))
    body = forms.post(kind, desired, members)
    request = Request("POST", f"/{kind.plural}", body, forms.KEPT[kind], members, (), creates=True)
    left = len(snapshot.add) - len(members)
    reason = f"create with {len(members)} members" if kind is Kind.GROUP else "create"
    return Plan((request,), f"{reason}, {left} more once it has an id" if left else reason)


def _fitting(members: tuple[str, ...], room: int) -> tuple[str, ...]:
    """The first members whose encoded form fits `room` bytes."""
    for count, member in enumerate(members):
        room -= forms.encoded_size({"value": member}) + 1
        if room < 0:
            return members[:count]
    return members


def _steps(
    snapshot: Snapshot, desired: Fields, path: str, profile: TargetProfile
) -> tuple[Request, ...]:
    """The difference as single steps: fields, then removals, then additions."""
    packer = Packer(path, profile)
    _pack_fields(packer, snapshot, desired)
    for member in snapshot.remove:
        packer.remove(member)
    for member in snapshot.add:
        packer.add(member)
    return packer.finish()


def _pack_fields(packer: Packer, snapshot: Snapshot, desired: Fields) -> None:
    """One path-less `Replace` of what has a value; a user's `externalId` is cleared apart."""
    kind, opened = snapshot.kind, snapshot.open
    cleared = _NOTHING
    if kind is Kind.USER and desired.external_id is None:
        cleared = opened & {Field.EXTERNAL_ID}
    values = forms.attributes(kind, desired, opened)
    if values:
        packer.operation(forms.replace(values), _sent(kind, desired, opened))
    if cleared:
        packer.operation(forms.remove_external_id(), cleared)


def _sent(kind: Kind, desired: Fields, opened: frozenset[Field]) -> frozenset[Field]:
    """The open fields that the path-less `Replace` really carries."""
    return frozenset(f for f in opened if forms.attributes(kind, desired, frozenset({f})))


def _whole_roster(
    snapshot: Snapshot, desired: Fields, path: str, profile: TargetProfile
) -> tuple[Request, ...] | None:
    """Everything in one path-less `Replace`, members included; None where that is not legal."""
    roster = snapshot.roster
    if roster is None or not (snapshot.add or snapshot.remove):
        return None
    values = forms.attributes(snapshot.kind, desired, snapshot.open)
    body = forms.patch([forms.replace({**values, "members": forms.member_values(roster)})])
    if len(roster) > profile.max_members or forms.encoded_size(body) > profile.max_body_bytes:
        return None
    fields = _sent(snapshot.kind, desired, snapshot.open)
    request = Request("PATCH", path, body, fields, snapshot.add, snapshot.remove, whole_roster=True)
    return (request,)


def _reason(snapshot: Snapshot, chosen: tuple[Request, ...], steps: int) -> str:
    """Why these requests, in a few words."""
    if not chosen:
        return "nothing differs that TFE can be told"
    if chosen[0].whole_roster:
        return f"the whole roster in 1 request instead of {steps}"
    what = f"{len(snapshot.open)} fields"
    if snapshot.kind is Kind.GROUP:
        what += f", {len(snapshot.remove)} removals, {len(snapshot.add)} additions"
    return f"{what} in {len(chosen)} request{'s' if len(chosen) > 1 else ''}"
