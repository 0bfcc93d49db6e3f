"""Fill a directory at once, for tests of an import and for dry runs: no HTTP, no rate limit.

The rules hold (409, 404, 413), but the whole is not one request: what came before the fault stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.simulator.attributes import address, boolean, optional_text, text
from relay.simulator.errors import bad_value, not_found
from relay.simulator.records import GroupFields, UserFields

if TYPE_CHECKING:
    from relay.rules.types import Json, JsonObject
    from relay.simulator.directory import Directory


def sow(directory: Directory, body: JsonObject) -> JsonObject:
    """Create what the body lists; answers with the ids in the same order.

    The body: `users` is a number (so many are invented: `user00001@example.com`) or an array of
    `{userName, email | emails, externalId, active, id}`; `groups` an array of
    `{displayName, externalId, id, members}` with members by id or `userName`; `accounts` an array
    of `{email, username}`, TFE users made by hand.

    Raises:
        ScimError: 400 for another body, and as the directory refuses.
    """
    unknown = body.keys() - {"users", "groups", "accounts"}
    if unknown:
        raise bad_value(f"unknown keys: {', '.join(sorted(unknown))}")
    for raw in _objects(body.get("accounts", []), "accounts"):
        username = optional_text(raw.get("username"), "username")
        directory.accounts.add_manual(text(raw.get("email"), "email"), username)
    users = body.get("users", [])
    wanted = _invented(users) if isinstance(users, int) else _objects(users, "users")
    user_ids: list[Json] = [_sow_user(directory, raw) for raw in wanted]
    group_ids: list[Json] = [
        _sow_group(directory, raw) for raw in _objects(body.get("groups", []), "groups")
    ]
    return {"users": user_ids, "groups": group_ids}


def _sow_user(directory: Directory, raw: JsonObject) -> str:
    email = address(raw["emails"]) if "emails" in raw else text(raw.get("email"), "email")
    fields = UserFields(
        user_name=text(raw.get("userName"), "userName"),
        email=email,
        external_id=optional_text(raw.get("externalId"), "externalId"),
        active=boolean(raw.get("active", True), "active"),
    )
    return directory.create_user(fields, _new_id(directory, raw)).stamp.id


def _sow_group(directory: Directory, raw: JsonObject) -> str:
    members = raw.get("members", [])
    if not isinstance(members, list):
        raise bad_value("members must be an array of ids or userNames")
    roster = directory.roster()
    roster.replace([_user_id(directory, text(member, "members")) for member in members])
    fields = GroupFields(
        display_name=text(raw.get("displayName"), "displayName"),
        external_id=optional_text(raw.get("externalId"), "externalId"),
        members=roster.members,
    )
    return directory.create_group(fields, _new_id(directory, raw)).stamp.id


def _new_id(directory: Directory, raw: JsonObject) -> str | None:
    ident = optional_text(raw.get("id"), "id")
    if ident is not None and (ident in directory.users or ident in directory.groups):
        raise bad_value(f"id {ident!r} is in use")
    return ident


def _user_id(directory: Directory, member: str) -> str:
    if member in directory.users:
        return member
    named = directory.users.named(member)
    if not named:
        raise not_found("member", member)
    return named[0].stamp.id


def _invented(number: int) -> list[JsonObject]:
    names = [f"user{index:05}@example.com" for index in range(1, number + 1)]
    return [{"userName": name, "email": name} for name in names]


def _objects(value: Json, name: str) -> list[JsonObject]:
    if not isinstance(value, list):
        raise bad_value(f"{name} must be an array")
    objects = [element for element in value if isinstance(element, dict)]
    if len(objects) != len(value):
        raise bad_value(f"{name} must be an array of objects")
    return objects
