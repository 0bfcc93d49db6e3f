"""Sends requests to TFE's admin API inside its budgets, and says why an answer is none.

In charge of 429s and of what a status means here: TFE answers 404 where it means "you may not",
which is said so, since a person would look for what is missing. It must never use the SCIM token.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from relay.errors import MaybeSent, NotSent, TargetError
from relay.rules.error_body import detail_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from relay.clock import Ids
    from relay.rules.types import Json, JsonObject
    from relay.rules.verdict import Answered
    from relay.target.admin.budget import Budget, Budgets
    from relay.target.client import Sendable

TRIES: Final = 3
"""How often a request is sent when TFE answers 429, waits in between included."""

VERSION: Final = "x-tfe-version"
RESET: Final = "x-ratelimit-reset"
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
    REFUSED = "refused"  # a write: 400, 409, 413, 422, with TFE's own words
    NOT_UNDERSTOOD = "not-understood"  # something else: perhaps it is not TFE that answered


class AdminFailed(TargetError):
    """The admin API did not give, or do, what was asked for.

    Attributes:
        reason: why.
        status: of the answer, or None if there was none.
    """

    def __init__(self, what: str, reason: Reason, detail: str, status: int | None = None) -> None:
        super().__init__(f"cannot {what}: {detail}")
        self.reason = reason
        self.status = status


@dataclass(frozen=True, slots=True)
class Question:
    """A request.

    Attributes:
        what: for people: `SCIM settings`.
        path: behind `/api/v2`.
        budget: what pays for it.
        by_id: a 404 may mean that it is not there.
        method: the HTTP method.
        body: the JSON to send, or None.
    """

    what: str
    path: str
    budget: Budget
    by_id: bool = False
    method: str = "GET"
    body: JsonObject | None = None


class Channel:
    """Asks over a transport.

    Attributes:
        budgets: what pays for requests.
    """

    def __init__(self, client: Transport, budgets: Budgets, ids: Ids) -> None:
        self._client = client
        self.budgets = budgets
        self._ids = ids
        self._version: str | None = None

    @property
    def version(self) -> str | None:
        """What `X-TFE-Version` last said; None before the first answer."""
        return self._version

    async def ask(self, question: Question, query: Mapping[str, str]) -> Json:
        """The answer's body; raises AdminFailed."""
        for _ in range(TRIES):
            async with question.budget.slot():
                answer = await self._send(question, query)
            self._version = answer.headers.get(VERSION, self._version)
            if answer.status != 429:  # noqa: PLR2004 - too many requests
                question.budget.served()
                break
            question.budget.refused(answer.headers.get(RESET))
        if answer.status // 100 == 2:  # noqa: PLR2004 - the class of successes
            return answer.body
        raise self._failure(question, answer)

    async def _send(self, question: Question, query: Mapping[str, str]) -> Answered:
        try:
            return await self._client.send(question, self._ids.new_id(), query=query)
        except (NotSent, MaybeSent) as error:
            raise AdminFailed(question.what, Reason.DOWN, str(error)) from error

    def _failure(self, question: Question, answer: Answered) -> AdminFailed:
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
                if VERSION not in answer.headers:
                    meaning += "; or it is not TFE's API that answers at this address"
            case 429:
                reason, meaning = Reason.THROTTLED, "TFE's limit is used up, perhaps by others"
            case 400 | 409 | 413 | 422:
                reason, meaning = Reason.REFUSED, "TFE refuses it"
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


def not_understood(question: Question, error: ValueError) -> AdminFailed:
    """An answer that TFE does not send."""
    return AdminFailed(question.what, Reason.NOT_UNDERSTOOD, str(error))
