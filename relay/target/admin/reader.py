"""Reads TFE's admin API: one method for each thing there is to know.

In charge of paths and pages. It must never write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote

from relay.target.admin import facts
from relay.target.admin.channel import RESET, VERSION, Channel, Question, not_understood
from relay.target.client import Endpoint
from relay.target.way import DIRECT, Way

if TYPE_CHECKING:
    from collections.abc import Callable

    from relay.clock import Ids
    from relay.rules.types import JsonObject
    from relay.target.admin.budget import Budgets
    from relay.target.admin.channel import Transport
    from relay.target.admin.facts import ScimGroup, ScimSettings, ScimToken, Team, User

Fact = TypeVar("Fact")

MEDIA_TYPE: Final = "application/vnd.api+json"
PAGE_SIZE: Final = 100


def admin_endpoint(url: str, *, timeout_s: float = 30.0, way: Way = DIRECT) -> Endpoint:
    """The endpoint of the admin API of the TFE at this address, with or without `/api/v2`."""
    base = url.rstrip("/").removesuffix("/api/v2")
    return Endpoint(
        f"{base}/api/v2",
        timeout_s=timeout_s,
        way=way,
        media_type=MEDIA_TYPE,
        kept_headers=(VERSION, RESET),
    )


class AdminReader:
    """Reads over a transport. All methods raise AdminFailed."""

    def __init__(self, client: Transport, budgets: Budgets, ids: Ids) -> None:
        self.channel = Channel(client, budgets, ids)
        """What sends; writers share it and its budgets."""

    @property
    def version(self) -> str | None:
        """What `X-TFE-Version` last said; None before the first answer."""
        return self.channel.version

    async def settings(self) -> ScimSettings:
        """Whether SCIM runs, is paused or disabled, and which group makes administrators."""
        question = Question(
            "read SCIM settings", "/admin/scim-settings", self.channel.budgets.settings
        )
        return await self._one(question, facts.scim_settings)

    async def tokens(self) -> list[ScimToken]:
        """The SCIM tokens that are live."""
        return await self._all("SCIM tokens", "/admin/scim-tokens", facts.scim_token)

    async def groups(self, part: str = "") -> list[ScimGroup]:
        """SCIM groups with this part in their name, whatever its capitals; compare yourself."""
        return await self._all("SCIM groups", "/admin/scim-groups", facts.scim_group, q=part)

    async def users(self) -> list[User]:
        """All users of TFE."""
        return await self._all("users", "/admin/users", facts.user)

    async def organizations(self) -> list[str]:
        """Names of all organisations."""
        return await self._all("organizations", "/organizations", facts.organization_name)

    async def teams(self, organization: str) -> list[Team]:
        """The teams of an organisation."""
        path = f"/organizations/{quote(organization, safe='')}/teams"
        return await self._all(f"teams of {organization}", path, facts.team, by_id=True)

    async def team(self, ident: str) -> Team:
        """One team."""
        path = f"/teams/{quote(ident, safe='')}"
        question = Question(f"read team {ident}", path, self.channel.budgets.api, by_id=True)
        return await self._one(question, facts.team)

    async def account(self) -> User:
        """Whose token this is: works for any user, so it tells a wrong token from a weak one."""
        question = Question("read account details", "/account/details", self.channel.budgets.api)
        return await self._one(question, facts.user)

    async def _one(self, question: Question, fact: Callable[[JsonObject], Fact]) -> Fact:
        body = await self.channel.ask(question, {})
        try:
            return fact(facts.resource_of(body))
        except ValueError as error:
            raise not_understood(question, error) from error

    async def _all(
        self,
        what: str,
        path: str,
        fact: Callable[[JsonObject], Fact],
        *,
        by_id: bool = False,
        **query: str,
    ) -> list[Fact]:
        """Every page, as far as TFE says there is a next one."""
        question = Question(f"read {what}", path, self.channel.budgets.api, by_id)
        asked = {name: value for name, value in query.items() if value}
        found: list[Fact] = []
        number: int | None = 1
        while number is not None:
            page = {"page[number]": str(number), "page[size]": str(PAGE_SIZE)}
            body = await self.channel.ask(question, asked | page)
            try:
                resources, after = facts.page_of(body)
                found += map(fact, resources)
            except ValueError as error:
                raise not_understood(question, error) from error
            number = after if after is not None and after > number else None
        return found
