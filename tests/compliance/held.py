"""What somebody holds, in one form: names, states and rosters, ids left aside.

Users as `(userName, externalId, active, address)`, groups as `(displayName, externalId, members)`
with members by `userName`: all that TFE keeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from support.idp import Idp

    from relay.simulator.server import Simulator


def by_tfe(sim: Simulator) -> tuple[list[Any], list[Any]]:
    """What the stand-in holds."""
    names = {user.stamp.id: user.fields.user_name for user in sim.directory.users}
    users = [
        (
            user.fields.user_name,
            user.fields.external_id,
            user.fields.active,
            user.fields.email,
        )
        for user in sim.directory.users
    ]
    groups = [
        (
            group.fields.display_name,
            group.fields.external_id,
            sorted(names[one] for one in group.fields.members),
        )
        for group in sim.directory.groups
    ]
    return sorted(users, key=repr), sorted(groups, key=repr)


def by_resources(resources: Iterable[dict[str, Any]]) -> tuple[list[Any], list[Any]]:
    """What SCIM bodies say, users and groups in any order; members that are no user are left out.

    A server need not forget a deleted user's memberships (RFC 7644 section 3.6 is silent); TFE does.
    """
    everything = list(resources)
    names = {one["id"]: one["userName"] for one in everything if "userName" in one}
    users = [
        (one["userName"], one.get("externalId"), one.get("active"), one["emails"][0]["value"])
        for one in everything
        if "userName" in one
    ]
    groups = [
        (
            one["displayName"],
            one.get("externalId"),
            sorted(
                names[member["value"]]
                for member in one.get("members") or []
                if member["value"] in names
            ),
        )
        for one in everything
        if "userName" not in one
    ]
    return sorted(users, key=repr), sorted(groups, key=repr)


async def by_server(client: Idp) -> tuple[list[Any], list[Any]]:
    """What a SCIM server answers to lists of everything, up to 200 of each."""
    users = await client.get("/Users?count=200")
    groups = await client.get("/Groups?count=200")
    return by_resources([*users.body.get("Resources", []), *groups.body.get("Resources", [])])
