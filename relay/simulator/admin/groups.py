"""`admin/scim-groups` and the links between groups and teams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.simulator.admin import documents
from relay.simulator.admin.bodies import boolean, text

if TYPE_CHECKING:
    from relay.simulator.admin.bodies import Call, Outcome


def scim_groups(call: Call) -> Outcome:
    """List groups; `q` is part of a name, capitals ignored.

    Raises:
        ScimError: 404.
    """
    if call.method != "GET":
        raise call.wrong_method()
    part = call.arrival.query.get("q", "").casefold()
    found = [group for group in call.tfe.directory.groups if part in group.name.casefold()]
    return 200, documents.page(found, documents.scim_group, call.arrival.path, call.arrival.query)


def scim_group_mapping(call: Call, team_id: str) -> Outcome:
    """Link a team, pause or resume it, unlink it.

    Raises:
        ScimError: 400, 404, 409, 413, 422 (contract, *Admin API*); nothing was changed.
    """
    links = call.tfe.site.links
    match call.method:
        case "POST":
            call.tfe.site.estate.team(team_id)
            links.make(team_id, text(call.attributes(), "scim-group-id"))
        case "PATCH":
            call.tfe.site.estate.team(team_id)
            paused = boolean(call.attributes(), "scim-sync-paused")
            links.pause(team_id, paused=paused)
        case "DELETE":
            links.cut(team_id)
        case _:
            raise call.wrong_method()
    return 204, None
