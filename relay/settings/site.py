"""The settings of TFE's own side: its admin API, and which team follows which group.

Annotations are read at run time by pydantic, hence no `from __future__ import annotations`.
"""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from relay.settings.base import Section, contradiction, key
from relay.settings.kinds import Duration, OptionalPath, OptionalUrl

TeamName = Annotated[str, StringConstraints(pattern=r"^(team-\w+|[^/]+/[^/]+)$")]


class AdminApi(Section):
    """TFE's admin API: tells holds apart, warns of tokens' ends, sees team links.

    Optional: without it the relay infers what it can. Nothing is written with it but what an
    operator orders (`scim-relay token rotate`), or `rotate_before` says.
    """

    url: OptionalUrl = key(
        "",
        "Address of TFE; empty: not used. TFE's own answers 404 to who may not.",
        "https://tfe.example.com",
    )
    token_file: OptionalPath = key(
        "",
        "File with a site administrator's token, never a SCIM token, read again when it changes.",
        "/run/secrets/tfe-admin-token",
    )
    rotate_before: Duration = key(
        "0s",
        "Replace the SCIM token in `target.token_file` so long before it ends, which the relay"
        " must be allowed to write; `0s`: on request only.",
        "14d",
    )

    @model_validator(mode="after")
    def _has_both(self) -> Self:
        if bool(self.url) != (self.token_file is not None):
            absent = "token_file" if self.url else "url"
            raise contradiction((absent, "missing; admin_api.url and token_file go together"))
        return self


class TeamLinks(Section):
    """Which teams follow a group; one table for each group. `scim-relay links apply` sees to it.

    A team follows one group. Nothing is unlinked unless it is asked for.
    """

    group: str = key(..., "The group's display name; a part of an overflowed one too.", "Engineers")
    teams: Annotated[tuple[TeamName, ...], Field(min_length=1)] = key(
        ..., "Teams by id, or as `organization/name`.", ("team-abc", "acme/engineers")
    )
