"""What each SCIM call does to the directory: synchronous, whole or not at all.

From a method, a path, parameters and a body to a status and a JSON object. Who may call, how often
and what goes wrong on the way is `service`'s business.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from relay.rules.types import JsonObject
from relay.simulator import discovery
from relay.simulator.attributes import (
    address,
    boolean,
    member_ids,
    optional_text,
    present,
    text,
)
from relay.simulator.errors import ScimError
from relay.simulator.filters import Query, parse_query, wants_members
from relay.simulator.patch import Operation, parse_operations, patched_group, patched_user
from relay.simulator.records import GroupFields, UserFields
from relay.simulator.wire import group_json, list_json, parse_object, user_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relay.simulator.behaviour import Behaviour
    from relay.simulator.directory import Directory
    from relay.simulator.log import Arrival
    from relay.simulator.table import Row, Table

Outcome: TypeAlias = tuple[int, JsonObject | None]
"""Status and body; None for no body."""


def perform(directory: Directory, arrival: Arrival) -> Outcome:
    """Do what a request asks.

    Raises:
        ScimError: it is refused and changed nothing.
    """
    match arrival.path.split("/")[1:]:
        case ["Users"]:
            return _users(directory, arrival)
        case ["Users", ident] if ident:
            return _user(directory, arrival, ident)
        case ["Groups"]:
            return _groups(directory, arrival)
        case ["Groups", ident] if ident:
            return _group(directory, arrival, ident)
    return _discovery(directory, arrival)


def _discovery(directory: Directory, arrival: Arrival) -> Outcome:
    found = discovery.document(arrival.path, directory.behaviour.max_page)
    if found is None:
        raise ScimError(404, f"no such endpoint: {arrival.path}")
    if arrival.method != "GET":
        raise _wrong_method(arrival)
    return 200, found


def _users(directory: Directory, arrival: Arrival) -> Outcome:
    match arrival.method:
        case "GET":
            return 200, _list_users(directory, arrival)
        case "POST":
            fields = _user_fields(parse_object(arrival.body), None)
            return 201, user_json(directory.create_user(fields))
    raise _wrong_method(arrival)


def _user(directory: Directory, arrival: Arrival, ident: str) -> Outcome:
    match arrival.method:
        case "GET":
            return 200, user_json(directory.user(ident))
        case "PUT":
            user = directory.user(ident)
            fields = _user_fields(parse_object(arrival.body), user.fields)
            return 200, user_json(directory.update_user(user, fields))
        case "PATCH":
            user = directory.user(ident)
            operations = _operations(directory, arrival)
            user = directory.update_user(user, patched_user(user.fields, operations))
            return _patched(directory, user_json(user))
        case "DELETE":
            directory.delete_user(ident)
            return 204, None
    raise _wrong_method(arrival)


def _groups(directory: Directory, arrival: Arrival) -> Outcome:
    match arrival.method:
        case "GET":
            return 200, _list_groups(directory, arrival)
        case "POST":
            body = parse_object(arrival.body)
            roster = directory.roster()
            roster.replace(member_ids(body["members"]) if present(body, "members") else [])
            fields = GroupFields(
                display_name=text(body.get("displayName"), "displayName"),
                external_id=optional_text(body.get("externalId"), "externalId"),
                members=roster.members,
            )
            return 201, group_json(directory.create_group(fields), directory)
    raise _wrong_method(arrival)


def _group(directory: Directory, arrival: Arrival, ident: str) -> Outcome:
    match arrival.method:
        case "GET":
            members = wants_members(arrival.query)
            return 200, group_json(directory.group(ident), directory, members=members)
        case "PUT":
            return 200, _put_group(directory, arrival, ident)
        case "PATCH":
            group = directory.group(ident)
            operations = _operations(directory, arrival)
            fields = patched_group(group.fields, directory.roster(group), operations)
            group = directory.update_group(group, fields)
            return _patched(directory, group_json(group, directory))
        case "DELETE":
            directory.delete_group(ident)
            return 204, None
    raise _wrong_method(arrival)


def _put_group(directory: Directory, arrival: Arrival, ident: str) -> JsonObject:
    """What a PUT does not name stays as it is, `members` included (contract, *Groups*)."""
    group = directory.group(ident)
    body = parse_object(arrival.body)
    fields = group.fields
    if present(body, "members"):
        roster = directory.roster(group)
        roster.replace(member_ids(body["members"]))
        fields = replace(fields, members=roster.members)
    if present(body, "displayName"):
        fields = replace(fields, display_name=text(body["displayName"], "displayName"))
    if "externalId" in body:
        external_id = optional_text(body["externalId"], "externalId")
        fields = replace(fields, external_id=external_id)
    return group_json(directory.update_group(group, fields), directory)


def _user_fields(body: JsonObject, before: UserFields | None) -> UserFields:
    """A POST's or PUT's user; what TFE does not store, `name` included, is passed over."""
    active = before.active if before is not None else True
    if present(body, "active"):
        active = boolean(body["active"], "active")
    return UserFields(
        user_name=text(body.get("userName"), "userName"),
        email=address(body.get("emails")),
        external_id=optional_text(body.get("externalId"), "externalId"),
        active=active,
    )


def _operations(directory: Directory, arrival: Arrival) -> list[Operation]:
    return parse_operations(parse_object(arrival.body), directory.behaviour.max_operations)


def _patched(directory: Directory, body: JsonObject) -> Outcome:
    return (200, body) if directory.behaviour.patch_answers_body else (204, None)


def _list_users(directory: Directory, arrival: Arrival) -> JsonObject:
    query = parse_query(arrival.query, "userName", directory.behaviour.max_page)
    found = _select(directory.users, query, directory.behaviour)
    return list_json(len(found), query.start, [user_json(user) for user in _page(found, query)])


def _list_groups(directory: Directory, arrival: Arrival) -> JsonObject:
    query = parse_query(arrival.query, "displayName", directory.behaviour.max_page)
    found = _select(directory.groups, query, directory.behaviour)
    page = [group_json(group, directory, members=query.members) for group in _page(found, query)]
    return list_json(len(found), query.start, page)


def _select(table: Table[Row], query: Query, behaviour: Behaviour) -> Sequence[Row]:
    if query.equals is None or behaviour.ignore_filters:
        return list(table)
    attribute, value = query.equals
    return table.external(value) if attribute == "externalId" else table.named(value)


def _page(found: Sequence[Row], query: Query) -> Sequence[Row]:
    return found[query.start - 1 : query.start - 1 + query.count]


def _wrong_method(arrival: Arrival) -> ScimError:
    return ScimError(405, f"{arrival.method} is not allowed on {arrival.path}")
