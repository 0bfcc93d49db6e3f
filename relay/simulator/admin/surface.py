"""The admin API as a surface: budgets, tokens of users, JSON:API, `X-TFE-Version` on every answer.

Checks in this order: budget (429), token (401), media type (415), then the call, where a caller
who may not gets the same 404 as for what is not there. `ping` asks for nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import orjson

from relay.simulator.admin import documents
from relay.simulator.admin.bodies import Call
from relay.simulator.admin.budgets import Purse
from relay.simulator.admin.routes import answer, segments
from relay.simulator.errors import ScimError
from relay.simulator.reply import Reply

if TYPE_CHECKING:
    from relay.rules.types import JsonObject
    from relay.simulator.log import Arrival
    from relay.simulator.tfe import Tfe

MEDIA_TYPE: Final = "application/vnd.api+json"
_MEDIA_TYPES: Final = frozenset({MEDIA_TYPE, "application/json"})
_API_VERSION: Final = "2.6"


class AdminSurface:
    """What site administrators' tools, and the relay with their token, talk to."""

    def __init__(self, tfe: Tfe) -> None:
        self._tfe = tfe

    def admit(self, arrival: Arrival) -> None:
        """Count it against the caller's budget.

        Raises:
            ScimError: 429.
        """
        self._tfe.site.budgets.spend(_purse(arrival), self._payer(arrival))

    def check(self, arrival: Arrival) -> None:
        """The token and the body's kind.

        Raises:
            ScimError: 401, 415.
        """
        if _is_ping(arrival):
            return
        if self._tfe.site.people.caller(arrival.authorization) is None:
            raise ScimError(401, "Invalid or missing authentication token")
        if arrival.body and arrival.content_type not in _MEDIA_TYPES:
            raise ScimError(415, f"the body must be {MEDIA_TYPE}")

    def perform(self, arrival: Arrival, stale: int) -> Reply:  # noqa: ARG002 - no old states here
        """Do what a request asks; never from an old state.

        Raises:
            ScimError: it is refused and changed nothing.
        """
        if _is_ping(arrival):
            return Reply(204)
        caller = self._tfe.site.people.caller(arrival.authorization)
        assert caller is not None
        status, document = answer(Call(self._tfe, arrival, caller))
        return Reply(status) if document is None else _rendered(status, document, {})

    def refusal(self, error: ScimError) -> Reply:
        """A JSON:API error."""
        return _rendered(error.status, documents.error(error.status, error.detail), error.headers)

    def dress(self, arrival: Arrival, reply: Reply) -> Reply:
        """Version and budget, as HashiCorp's clients read them."""
        site = self._tfe.site
        name = {"X-TFE-Version": site.version, "TFP-AppName": "Terraform Enterprise"}
        headers = {
            **(name if site.version else {"TFP-AppName": "HCP Terraform"}),
            "TFP-API-Version": _API_VERSION,
            **site.budgets.headers(_purse(arrival), self._payer(arrival)),
        }
        return replace(reply, headers={**headers, **reply.headers})

    def _payer(self, arrival: Arrival) -> str:
        """Budgets are kept for each user; those without a token share one."""
        caller = self._tfe.site.people.caller(arrival.authorization)
        return "" if caller is None else caller.username


def _purse(arrival: Arrival) -> Purse:
    match segments(arrival):
        case ["admin", "scim-settings"]:
            return Purse.SETTINGS
        case ["admin", "teams", _, "scim-group-mapping"]:
            return Purse.LINKS
    return Purse.API


def _is_ping(arrival: Arrival) -> bool:
    return segments(arrival) == ["ping"]


def _rendered(status: int, document: JsonObject, headers: dict[str, str]) -> Reply:
    return Reply(status, orjson.dumps(document), {**headers, "Content-Type": MEDIA_TYPE})
