"""Reads TFE's admin API: one method for each thing there is to know, inside TFE's own budgets.

In charge of paths, pages, 429s and of saying why an answer is none. It must never write, and never
use the SCIM token. TFE answers 404 where it means "you may not": that is said so here, since a
person would look for what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol, TypeVar
from urllib.parse import quote

from relay.errors import MaybeSent, NotSent, TargetError
from relay.rules.error_body import detail_of
from relay.target.admin import facts
from relay.target.client import Endpoint
from relay.target.reads import Get

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from relay.clock import Ids
    from relay.rules.types import Json, JsonObject
    from relay.rules.verdict import Answered
    from relay.target.admin.budget import Budget, Budgets
    from relay.target.admin.facts import ScimGroup, ScimSettings, ScimToken, Team, User
    from relay.target.client import Sendable

Fact = TypeVar("Fact")

MEDIA_TYPE: Final = "application/vnd.api+json"
TRIES: Final = 3
"""How often a read is sent when TFE answers 429, waits in between included."""

PAGE_SIZE: Final = 100
_VERSION: Final = "x-tfe-version"
_RESET: Final = "x-ratelimit-reset"
_FIRST_WITH_SCIM: Final = 2


class Transport(Protocol):
    """What sends one request: an open TargetClient of `admin_endpoint`, or memory."""

    async def send(
        self, request: Sendable, attempt_id: str, *, query: Mapping[str, str] | None = None
    ) -> Answered:
        """Send once; the answer, whatever its status. Raises NotSent or MaybeSent."""
        ...


class Reason(StrEnum):
    """Why the admin API did not tell."""

    TOKEN = "token"  # noqa: S105 - a name; 401: wrong, ended, or a SCIM token
    NOT_ALLOWED = "not-allowed"  # 404 or 403: the token's user is no site administrator
    NO_SCIM = "no-scim"  # 404 by a TFE below 2.0
    MISSING = "missing"  # 404 on an id: it is not there, or the user may not see it
    THROTTLED = "throttled"  # 429 again and again
    DOWN = "down"  # no answer, or a 5xx
    NOT_UNDERSTOOD = "not-understood"  # something else: perhaps it is not TFE that answered


class AdminFailed(TargetError):
    """The admin API did not give what was asked for.

    Attributes:
        reason: why.
        status: of the answer, or None if there was none.
    """

    def __init__(self, what: str, reason: Reason, detail: str, status: int | None = None) -> None:
        super().__init__(f"cannot read {what}: {detail}")
        self.reason = reason
        self.status = status


@dataclass(frozen=True, slots=True)
class _Question:
    """A read.

    Attributes:
        what: for people: `SCIM settings`.
        path: behind `/api/v2`.
        budget: what pays for it.
        by_id: a 404 may mean that it is not there.
    """

    what: str
    path: str
    budget: Budget
    by_id: bool = False


def admin_endpoint(url: str, *, timeout_s: float = 30.0, ca_file: Path | None = None) -> Endpoint:
    """The endpoint of the admin API of the TFE at this address, with or without `/api/v2`."""
    base = url.rstrip("/").removesuffix("/api/v2")
    return Endpoint(
        f"{base}/api/v2",
        timeout_s=timeout_s,
        ca_file=ca_file,
        media_type=MEDIA_TYPE,
        kept_headers=(_VERSION, _RESET),
    )


class AdminReader:
    """Reads over a transport. All methods raise AdminFailed."""

    def __init__(self, client: Transport, budgets: Budgets, ids: Ids) -> None:
        self._client = client
        self._budgets = budgets
        self._ids = ids
        self._version: str | None = None

    @property
    def version(self) -> str | None:
        """What `X-TFE-Version` last said; None before the first answer."""
        return self._version

    async def settings(self) -> ScimSettings:
        """Whether SCIM runs, is paused or disabled, and which group makes administrators."""
        question = _Question("SCIM settings", "/admin/scim-settings", self._budgets.settings)
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
        question = _Question(f"team {ident}", path, self._budgets.api, by_id=True)
        return await self._one(question, facts.team)

    async def account(self) -> User:
        """Whose token this is: works for any user, so it tells a wrong token from a weak one."""
        question = _Question("account details", "/account/details", self._budgets.api)
        return await self._one(question, facts.user)

    async def _one(self, question: _Question, fact: Callable[[JsonObject], Fact]) -> Fact:
        body = await self._ask(question, {})
        try:
            return fact(facts.resource_of(body))
        except ValueError as error:
            raise _not_understood(question, error) from error

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
        question = _Question(what, path, self._budgets.api, by_id)
        asked = {name: value for name, value in query.items() if value}
        found: list[Fact] = []
        number: int | None = 1
        while number is not None:
            page = {"page[number]": str(number), "page[size]": str(PAGE_SIZE)}
            body = await self._ask(question, asked | page)
            try:
                resources, after = facts.page_of(body)
                found += map(fact, resources)
            except ValueError as error:
                raise _not_understood(question, error) from error
            number = after if after is not None and after > number else None
        return found

    async def _ask(self, question: _Question, query: dict[str, str]) -> Json:
        for _ in range(TRIES):
            async with question.budget.slot():
                answer = await self._send(question, query)
            self._version = answer.headers.get(_VERSION, self._version)
            if answer.status != 429:  # noqa: PLR2004 - too many requests
                question.budget.served()
                break
            question.budget.refused(answer.headers.get(_RESET))
        if answer.status // 100 == 2:  # noqa: PLR2004 - the class of successes
            return answer.body
        raise self._failure(question, answer)

    async def _send(self, question: _Question, query: dict[str, str]) -> Answered:
        try:
            return await self._client.send(Get(question.path), self._ids.new_id(), query=query)
        except (NotSent, MaybeSent) as error:
            raise AdminFailed(question.what, Reason.DOWN, str(error)) from error

    def _failure(self, question: _Question, answer: Answered) -> AdminFailed:
        match answer.status:
            case 401:
                reason, meaning = Reason.TOKEN, "the token is wrong, ended, or not a user's"
            case 404 if self._is_too_old() and question.path.startswith("/admin/scim"):
                reason, meaning = Reason.NO_SCIM, f"TFE {self._version} has no SCIM, 2.0 has"
            case 404 if question.by_id:
                reason, meaning = Reason.MISSING, "it is not there, or the token may not see it"
            case 403 | 404:
                reason = Reason.NOT_ALLOWED
                meaning = "not allowed: the token's user is no site administrator"
                if _VERSION not in answer.headers:
                    meaning += "; or it is not TFE's API that answers at this address"
            case 429:
                reason, meaning = Reason.THROTTLED, "TFE's limit is used up, perhaps by others"
            case status if status >= 500:  # noqa: PLR2004 - the class of server errors
                reason, meaning = Reason.DOWN, "TFE is in trouble"
            case _:
                reason, meaning = Reason.NOT_UNDERSTOOD, "TFE does not answer so"
        said = detail_of(answer.body)
        detail = f"{answer.status}: {meaning}" + (f" ({said})" if said else "")
        return AdminFailed(question.what, reason, detail, answer.status)

    def _is_too_old(self) -> bool:
        """Below 2.0, the older names such as `v202507-1` included; unknown is not too old."""
        if not self._version:
            return False
        major = self._version.partition(".")[0]
        return not major.isdecimal() or int(major) < _FIRST_WITH_SCIM


def _not_understood(question: _Question, error: ValueError) -> AdminFailed:
    return AdminFailed(question.what, Reason.NOT_UNDERSTOOD, str(error))
