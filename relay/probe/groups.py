"""Assumptions on groups and rosters (contract: *Groups*)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from relay.probe.assumption import Assumption, Seen, Verdict, judged

if TYPE_CHECKING:
    from relay.probe.session import Session
    from relay.rules.types import JsonObject


async def _taken_name(tfe: Session) -> Seen:
    made = await tfe.group("taken")
    name = str(made["displayName"]).upper()
    reply = await tfe.post("/Groups", tfe.new_group("taken", displayName=name))
    return judged(reply.status == HTTPStatus.CONFLICT, str(reply))


async def _renamed_to_taken(tfe: Session) -> Seen:
    one, two = await tfe.group("first"), await tfe.group("second")
    renaming: JsonObject = {"op": "Replace", "path": "displayName", "value": one["displayName"]}
    reply = await tfe.patch(f"/Groups/{two['id']}", renaming)
    return judged(reply.status == HTTPStatus.CONFLICT, str(reply))


async def _unknown_member(tfe: Session) -> Seen:
    reply = await tfe.post("/Groups", tfe.new_group("stranger", [str(uuid4())]))
    return judged(reply.status == HTTPStatus.NOT_FOUND, str(reply))


async def _unknown_addition(tfe: Session) -> Seen:
    user, crew = str((await tfe.user("known"))["id"]), await tfe.group("known")
    both: JsonObject = {
        "op": "Add",
        "path": "members",
        "value": [{"value": user}, {"value": str(uuid4())}],
    }
    reply = await tfe.patch(f"/Groups/{crew['id']}", both)
    there = await tfe.members(str(crew["id"]))
    return judged(
        reply.status == HTTPStatus.NOT_FOUND and not there,
        f"{reply}; the known one was {'' if there else 'not '}added",
    )


async def _add_many(tfe: Session) -> Seen:
    users = [str((await tfe.user(f"many-{number}"))["id"]) for number in range(3)]
    crew = str((await tfe.group("many"))["id"])
    adding: JsonObject = {
        "op": "Add",
        "path": "members",
        "value": [{"value": user} for user in users],
    }
    reply = await tfe.patch(f"/Groups/{crew}", adding)
    again = await tfe.patch(f"/Groups/{crew}", adding)
    there = await tfe.members(crew)
    return judged(
        there == set(users) and again.taken,
        f"{reply}; {len(there)} of 3 there; the same again: {again}",
    )


async def _removal_by_path(tfe: Session) -> Seen:
    stays, goes, crew = await _crew(tfe, "by-path")
    removal: JsonObject = {"op": "Remove", "path": f'members[value eq "{goes}"]'}
    reply = await tfe.patch(f"/Groups/{crew}", removal)
    again = await tfe.patch(f"/Groups/{crew}", removal)
    there = await tfe.members(crew)
    return Seen(
        judged(there == {stays} and again.taken, "").verdict,
        f"{reply}; {len(there)} of 1 left; a non-member: {again}",
        forms={"removal by path": _made_of(there, stays, goes)},
    )


async def _other_removals(tfe: Session) -> Seen:
    """The forms that IdPs send and that the relay never passes on."""
    forms: dict[str, str] = {}
    for name, label in (("removal by value array", "by-array"), ("removal of all", "bare")):
        stays, goes, crew = await _crew(tfe, label)
        removal: JsonObject = {"op": "Remove", "path": "members"}
        if label == "by-array":
            removal["value"] = [{"value": goes}]
        reply = await tfe.patch(f"/Groups/{crew}", removal)
        made = _made_of(await tfe.members(crew), stays, goes)
        forms[name] = f"{reply.status}, {made}"
    return Seen(Verdict.NOTED, "; ".join(f"{k}: {v}" for k, v in forms.items()), forms=forms)


async def _whole_roster(tfe: Session) -> Seen:
    stays, goes, crew = await _crew(tfe, "replaced")
    only: JsonObject = {"op": "Replace", "path": "members", "value": [{"value": stays}]}
    reply = await tfe.patch(f"/Groups/{crew}", only)
    there = await tfe.members(crew)
    return judged(there == {stays}, f"{reply}; {_made_of(there, stays, goes)}")


async def _several_in_one(tfe: Session) -> Seen:
    stays, goes, crew = await _crew(tfe, "mixed")
    name, late = tfe.name("mixed-new"), str((await tfe.user("mixed-late"))["id"])
    reply = await tfe.patch(
        f"/Groups/{crew}",
        {"op": "Replace", "path": "displayName", "value": name},
        {"op": "Remove", "path": f'members[value eq "{goes}"]'},
        {"op": "Add", "path": "members", "value": [{"value": late}]},
    )
    now = (await tfe.get(f"/Groups/{crew}")).body
    there = await tfe.members(crew)
    holds = now.get("displayName") == name and there == {stays, late}
    return judged(holds, f"{reply}; {'all' if holds else 'not all'} applied")


async def _put(tfe: Session) -> Seen:
    stays, goes, crew = await _crew(tfe, "put")
    named = {key: value for key, value in tfe.new_group("put").items() if key != "members"}
    without = await tfe.put(f"/Groups/{crew}", named)
    kept = await tfe.members(crew)
    empty = await tfe.put(f"/Groups/{crew}", {**named, "members": []})
    left = await tfe.members(crew)
    return judged(
        kept == {stays, goes} and not left,
        f"without members: {without.status}, {len(kept)} of 2 kept; []: {empty.status}, "
        f"{len(left)} left",
    )


async def _ended(tfe: Session) -> Seen:
    made = await tfe.group("ended")
    path = f"/Groups/{made['id']}"
    first, second = await tfe.delete(path), await tfe.delete(path)
    return judged(
        (first.status, second.status) == (HTTPStatus.NO_CONTENT, HTTPStatus.NO_CONTENT),
        f"{first}, again {second}",
    )


async def _crew(tfe: Session, label: str) -> tuple[str, str, str]:
    """A group of two: who is to stay, who is to go, and the group."""
    stays = str((await tfe.user(f"{label}-stays"))["id"])
    goes = str((await tfe.user(f"{label}-goes"))["id"])
    return stays, goes, str((await tfe.group(label, stays, goes))["id"])


def _made_of(there: set[str], stays: str, goes: str) -> str:
    match stays in there, goes in there:
        case True, False:
            return "taken"
        case True, True:
            return "ignored"
        case False, False:
            return "emptied the group"
    return "took off the wrong one"


ASSUMPTIONS: Final = (
    Assumption("groups.name", "a displayName in other case is a 409", _taken_name),
    Assumption("groups.rename", "a rename to a taken name is a 409", _renamed_to_taken),
    Assumption("groups.stranger", "a group with an unknown member is a 404", _unknown_member),
    Assumption("groups.whole", "one unknown member: nothing is applied", _unknown_addition),
    Assumption("groups.add", "one Add takes many, twice too", _add_many),
    Assumption("groups.remove", "Remove by path takes one off, a non-member too", _removal_by_path),
    Assumption("groups.removals", "other forms of removal: not documented", _other_removals),
    Assumption("groups.replace", "Replace members is the whole roster", _whole_roster),
    Assumption("groups.mixed", "rename, removal and addition in one PATCH", _several_in_one),
    Assumption("groups.put", "PUT: members left out stay, [] clears", _put),
    Assumption("groups.delete", "DELETE is 204 whether or not it exists", _ended),
)
