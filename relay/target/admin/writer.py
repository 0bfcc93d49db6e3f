"""Writes to TFE's admin API: SCIM tokens, and which team follows which group.

A request that may have been executed is never repeated here: whoever ordered it looks first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from relay.target.admin import facts
from relay.target.admin.channel import Question, not_understood

if TYPE_CHECKING:
    from relay.rules.types import JsonObject
    from relay.target.admin.channel import Channel
    from relay.target.admin.facts import ScimToken


class AdminWriter:
    """Writes over a channel that it shares with a reader. All methods raise AdminFailed."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def create_token(self, description: str) -> tuple[ScimToken, str]:
        """Make a SCIM token of the longest life TFE gives; it and its secret, told this once."""
        question = Question(
            "make a SCIM token",
            "/admin/scim-tokens",
            self._channel.budgets.api,
            method="POST",
            body=_document("authentication-tokens", {"description": description}),
        )
        answer = await self._channel.ask(question, {})
        try:
            made = facts.resource_of(answer)
            return facts.scim_token(made), facts.secret_of(made)
        except ValueError as error:
            raise not_understood(question, error) from error

    async def delete_token(self, ident: str) -> None:
        """End a SCIM token at once."""
        path = f"/admin/scim-tokens/{quote(ident, safe='')}"
        api = self._channel.budgets.api
        question = Question(f"delete the SCIM token {ident}", path, api, True, "DELETE")
        await self._channel.ask(question, {})

    async def link(self, team: str, group: str) -> None:
        """Have a team follow a group; ids of both. TFE answers once the first sync is done."""
        await self._map(f"link {team}", team, "POST", {"scim-group-id": group})

    async def unlink(self, team: str) -> None:
        """Have a team follow no group; its members stay."""
        await self._map(f"unlink {team}", team, "DELETE", None)

    async def _map(self, what: str, team: str, method: str, values: JsonObject | None) -> None:
        path = f"/admin/teams/{quote(team, safe='')}/scim-group-mapping"
        body = None if values is None else _document("scim-group-mapping", values)
        links = self._channel.budgets.links
        await self._channel.ask(Question(what, path, links, True, method, body), {})


def _document(kind: str, attributes: JsonObject) -> JsonObject:
    return {"data": {"type": kind, "attributes": attributes}}
