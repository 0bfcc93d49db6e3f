"""The SCIM surface: Users, Groups and discovery behind `/scim/v2`, for whoever has a SCIM token.

The order of its checks is a choice where the contract is silent: the token (401), pause (403),
size (413), media type (415).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from relay.rules.contract import SCIM_MEDIA_TYPE
from relay.simulator.endpoints import perform
from relay.simulator.errors import ScimError
from relay.simulator.reply import Reply
from relay.simulator.wire import error_json

if TYPE_CHECKING:
    from relay.rules.types import JsonObject
    from relay.simulator.log import Arrival
    from relay.simulator.tfe import Tfe

MEDIA_TYPES: Final = frozenset({"application/json", SCIM_MEDIA_TYPE})
WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


class ScimSurface:
    """What identity providers, and the relay, talk to."""

    def __init__(self, tfe: Tfe) -> None:
        self._tfe = tfe

    def admit(self, arrival: Arrival) -> None:
        """Count it if it is for Users or Groups.

        Raises:
            ScimError: 429.
        """
        if arrival.is_provisioning:
            self._tfe.limiter.admit()

    def check(self, arrival: Arrival) -> None:
        """The token, the pause, the body's size and kind.

        Raises:
            ScimError: 401, 403, 413, 415.
        """
        self._tfe.access.check_token(arrival.authorization)
        if arrival.is_provisioning:
            self._tfe.access.check_open(self._tfe.behaviour.pause_status)
        if arrival.method not in WITH_BODY:
            return
        limit = self._tfe.behaviour.max_body_bytes
        if len(arrival.body) > limit:
            raise ScimError(413, f"the body is larger than {limit} bytes")
        if arrival.content_type not in MEDIA_TYPES:
            raise ScimError(415, f"the body must be {SCIM_MEDIA_TYPE} or application/json")

    def perform(self, arrival: Arrival, stale: int) -> Reply:
        """Do what a request asks; a read from `stale` writes ago.

        Raises:
            ScimError: it is refused and changed nothing.
        """
        directory = self._tfe.directory.past(stale) if stale else self._tfe.directory
        status, body = perform(directory, arrival)
        return Reply(status) if body is None else _scim(status, body, {})

    def refusal(self, error: ScimError) -> Reply:
        """A SCIM error (RFC 7644 section 3.12)."""
        return _scim(error.status, error_json(error), error.headers)

    def dress(self, arrival: Arrival, reply: Reply) -> Reply:  # noqa: ARG002 - a surface's method
        """Nothing is added."""
        return reply


def _scim(status: int, body: JsonObject, headers: dict[str, str]) -> Reply:
    return Reply(status, orjson.dumps(body), {**headers, "Content-Type": SCIM_MEDIA_TYPE})
