"""`admin/scim-tokens`, and the older way to delete one, `authentication-tokens/:id`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from relay.simulator.access import DAY_S, MAX_TOKEN_LIFE_S, MIN_TOKEN_LIFE_S
from relay.simulator.admin import documents
from relay.simulator.admin.bodies import optional_text
from relay.simulator.admin.estate import not_there
from relay.simulator.errors import ScimError

if TYPE_CHECKING:
    from relay.simulator.access import ScimToken
    from relay.simulator.admin.bodies import Call, Outcome
    from relay.simulator.tfe import Tfe

_SKEW_S = 60.0
"""A lifetime of exactly 365 days is accepted although a client's clock runs ahead of ours."""


def scim_tokens(call: Call) -> Outcome:
    """List the active ones, or make one.

    Raises:
        ScimError: 400 another lifetime than 29 to 365 days, 404, 422.
    """
    access = call.tfe.access
    match call.method:
        case "GET":
            live = [token for token in access.tokens() if access.is_live(token)]
            return 200, {"data": [documents.scim_token(token) for token in live]}
        case "POST":
            given = call.attributes()
            description = optional_text(given, "description")
            life_s = _lifetime(optional_text(given, "expired-at"), call.tfe.clock.wall())
            secret = access.issue(lifetime_s=life_s, description=description)
            made = next(token for token in access.tokens() if token.secret == secret)
            return 201, documents.one(documents.scim_token(made, reveal=True))
    raise call.wrong_method()


def scim_token(call: Call, ident: str) -> Outcome:
    """Show one, ended ones too, or delete it.

    Raises:
        ScimError: 404.
    """
    token = _known(call.tfe, ident)
    match call.method:
        case "GET":
            return 200, documents.one(documents.scim_token(token))
        case "DELETE":
            call.tfe.access.revoke(token.secret)
            return 204, None
    raise call.wrong_method()


def _known(tfe: Tfe, ident: str) -> ScimToken:
    found = tfe.access.find(ident)
    if found is None:
        raise not_there()
    return found


def _lifetime(expired_at: str | None, now: float) -> float:
    """Seconds from now."""
    if expired_at is None:
        return MAX_TOKEN_LIFE_S
    try:
        end = datetime.fromisoformat(expired_at)
    except ValueError as error:
        raise ScimError(400, "expired-at must be an ISO 8601 timestamp") from error
    life_s = (end if end.tzinfo else end.replace(tzinfo=UTC)).timestamp() - now
    if not MIN_TOKEN_LIFE_S <= life_s <= MAX_TOKEN_LIFE_S + _SKEW_S:
        least, most = MIN_TOKEN_LIFE_S // DAY_S, MAX_TOKEN_LIFE_S // DAY_S
        raise ScimError(400, f"expired-at must be between {least} and {most} days in the future")
    return life_s
