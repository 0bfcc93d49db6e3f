"""Assumptions on creating, changing and ending users (contract: *Users*)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from relay.probe.assumption import Assumption, Seen, Verdict, judged

if TYPE_CHECKING:
    from relay.probe.session import Session
    from relay.rules.types import Json, JsonObject


async def _no_address(tfe: Session) -> Seen:
    reply = await tfe.post("/Users", {**tfe.new_user("no-address"), "emails": []})
    return judged(reply.status == HTTPStatus.BAD_REQUEST, str(reply))


async def _taken_name(tfe: Session) -> Seen:
    made = await tfe.user("taken")
    other = tfe.new_user("taken", userName=str(made["userName"]).upper())
    reply = await tfe.post("/Users", {**other, "emails": [{"value": "zz-relay@example.org"}]})
    return judged(reply.status == HTTPStatus.CONFLICT, str(reply))


async def _taken_address(tfe: Session) -> Seen:
    made = await tfe.user("address")
    reply = await tfe.post("/Users", {**tfe.new_user("address-too"), "emails": made["emails"]})
    return Seen(Verdict.NOTED, f"a second user with an address: {reply}")


async def _active_by_default(tfe: Session) -> Seen:
    made = await tfe.user("default")
    return judged(made.get("active") is True, f"active is {made.get('active')!r}")


async def _created_inactive(tfe: Session) -> Seen:
    made = await tfe.user("inactive", active=False)
    return judged(made.get("active") is False, f"active is {made.get('active')!r}")


async def _each_field(tfe: Session) -> Seen:
    made = await tfe.user("fields")
    path, name = f"/Users/{made['id']}", tfe.name("fields-new")
    address: Json = [{"value": f"{name}@example.com", "primary": True}]
    wanted: JsonObject = {"active": False, "userName": name, "externalId": name}
    replies = [
        await tfe.patch(path, {"op": "Replace", "path": key, "value": value})
        for key, value in {**wanted, "emails": address}.items()
    ]
    now = (await tfe.get(path)).body
    kept = {key for key, value in wanted.items() if now.get(key) == value}
    missing = sorted(set(wanted) - kept)
    return judged(
        all(reply.taken for reply in replies) and not missing,
        f"{', '.join(map(str, replies))}; not taken: {missing or 'none'}",
    )


async def _pathless(tfe: Session) -> Seen:
    made = await tfe.user("pathless")
    path, name = f"/Users/{made['id']}", tfe.name("pathless-new")
    reply = await tfe.patch(path, {"op": "Replace", "value": {"userName": name, "active": False}})
    now = (await tfe.get(path)).body
    taken = now.get("userName") == name and now.get("active") is False
    return judged(taken, f"{reply}; {'taken' if taken else 'not taken'}")


async def _remove_external_id(tfe: Session) -> Seen:
    made = await tfe.user("external-gone", externalId=tfe.name("external-gone"))
    path = f"/Users/{made['id']}"
    reply = await tfe.patch(path, {"op": "Remove", "path": "externalId"})
    now = (await tfe.get(path)).body.get("externalId")
    return judged(not now, f"{reply}; externalId is {now!r}")


async def _unknown_path(tfe: Session) -> Seen:
    made = await tfe.user("whole")
    path = f"/Users/{made['id']}"
    reply = await tfe.patch(
        path,
        {"op": "Replace", "path": "active", "value": False},
        {"op": "Replace", "path": "nickName", "value": "z"},
    )
    now = (await tfe.get(path)).body.get("active")
    return judged(
        reply.status == HTTPStatus.BAD_REQUEST and now is True,
        f"{reply}; the operation before it was {'not ' if now is True else ''}applied",
    )


async def _forms(tfe: Session) -> Seen:
    """Forms that IdPs send and the relay never does: what TFE makes of them is good to know."""
    made = await tfe.user("forms")
    path = f"/Users/{made['id']}"
    tried: dict[str, JsonObject] = {
        "lower-case verb": {"op": "replace", "path": "active", "value": False},
        "string boolean": {"op": "Replace", "path": "active", "value": "True"},
        "value path": {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "a@b.c"},
    }
    found = {name: str((await tfe.patch(path, form)).status) for name, form in tried.items()}
    return Seen(Verdict.NOTED, ", ".join(f"{k}: {v}" for k, v in found.items()), forms=found)


async def _put_keeps_active(tfe: Session) -> Seen:
    made = await tfe.user("put", active=False)
    path, body = f"/Users/{made['id']}", tfe.new_user("put")
    reply = await tfe.put(path, body)
    now = (await tfe.get(path)).body.get("active")
    return judged(reply.taken and now is False, f"{reply}; active is {now!r}")


async def _ended(tfe: Session) -> Seen:
    made = await tfe.user("ended")
    crew = await tfe.group("ended", str(made["id"]))
    path = f"/Users/{made['id']}"
    first, second = await tfe.delete(path), await tfe.delete(path)
    left = await tfe.members(str(crew["id"]))
    statuses = (first.status, second.status)
    return judged(
        statuses == (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND) and not left,
        f"{first.status}, again {second.status}; {len(left)} left in its group",
    )


async def _made_again(tfe: Session) -> Seen:
    made = await tfe.user("again")
    await tfe.delete(f"/Users/{made['id']}")
    reply = await tfe.post("/Users", tfe.new_user("again"))
    new = reply.body.get("id")
    return judged(
        reply.status == HTTPStatus.CREATED and new != made["id"],
        f"{reply}; {'another id' if new != made['id'] else 'the same id'}",
    )


async def _nobody(tfe: Session) -> Seen:
    reply = await tfe.patch(
        f"/Users/{uuid4()}", {"op": "Replace", "path": "active", "value": False}
    )
    return judged(reply.status == HTTPStatus.NOT_FOUND, str(reply))


ASSUMPTIONS: Final = (
    Assumption("users.address", "a user without an address is a 400", _no_address),
    Assumption("users.name", "a userName in other case is a 409", _taken_name),
    Assumption("users.address-twice", "two users with one address: not documented", _taken_address),
    Assumption("users.active", "active is true unless given", _active_by_default),
    Assumption("users.inactive", "a user can be created inactive", _created_inactive),
    Assumption("users.fields", "Replace takes each of four attributes", _each_field),
    Assumption("users.pathless", "Replace without a path takes an object", _pathless),
    Assumption("users.remove-external", "Remove takes externalId away", _remove_external_id),
    Assumption("users.whole", "an unknown path is a 400 and nothing is applied", _unknown_path),
    Assumption("users.forms", "other forms of PATCH: not documented", _forms),
    Assumption("users.put", "a PUT without active leaves it", _put_keeps_active),
    Assumption("users.delete", "DELETE is 204, then 404, and ends memberships", _ended),
    Assumption("users.again", "a name is free after DELETE, under another id", _made_again),
    Assumption("users.nobody", "a PATCH of nobody is a 404", _nobody),
)
