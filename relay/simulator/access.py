"""Who may call TFE's SCIM surface: tokens, the site-level pause, SCIM switched on or off."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from relay.simulator.errors import ScimError

if TYPE_CHECKING:
    from relay.clock import Clock, Ids

DAY_S: Final = 86_400
MAX_TOKEN_LIFE_S: Final = 365 * DAY_S
"""Default and maximum (contract, *States*)."""

MIN_TOKEN_LIFE_S: Final = 29 * DAY_S
"""The least the admin API accepts (contract, *States*); the control API goes below."""

LAST_USED_STEP_S: Final = 60
"""`last-used-at` moves at most once a minute (contract, *Admin API*)."""


@dataclass(frozen=True, slots=True)
class ScimToken:
    """A SCIM token as TFE keeps it; times are seconds since the epoch.

    Attributes:
        id: the admin API's id of it, `at-...`; follows from the secret.
        secret: what is sent as bearer; shown once by the admin API.
        description: a person's words, or None.
        created: when it was made.
        expires: from when on it is refused.
        last_used: when it was last accepted, to the minute; None for never.
    """

    id: str
    secret: str = field(repr=False)
    description: str | None
    created: float
    expires: float
    last_used: float | None = None


class Access:
    """Tokens with their ends, and the two switches of an operator.

    Attributes:
        paused: Users and Groups answer 403, discovery goes on.
        enabled: False after SCIM was disabled; every call is refused.
    """

    def __init__(self, clock: Clock, ids: Ids, token: str | None = None) -> None:
        self.paused = False
        self.enabled = True
        self._clock = clock
        self._ids = ids
        self._tokens: dict[str, ScimToken] = {}
        self._newest = self.issue(token)

    @property
    def newest(self) -> str:
        """The token issued last, live or not."""
        return self._newest

    def live_tokens(self) -> list[str]:
        """Tokens that are accepted now, oldest first."""
        return [token.secret for token in self.tokens() if self.is_live(token)]

    def tokens(self) -> list[ScimToken]:
        """Every token that was not revoked, ended ones included, oldest first."""
        return list(self._tokens.values())

    def find(self, ident: str) -> ScimToken | None:
        """The token with this id, or None."""
        return next((token for token in self.tokens() if token.id == ident), None)

    def is_live(self, token: ScimToken) -> bool:
        """Whether its end is still to come."""
        return self._clock.wall() < token.expires

    def issue(
        self,
        token: str | None = None,
        lifetime_s: float | None = None,
        description: str | None = None,
    ) -> str:
        """One more token; the others stay. None for `lifetime_s`: the default of 365 days."""
        secret = token or f"scim-{self._ids.new_id()}"
        now = self._clock.wall()
        life_s = MAX_TOKEN_LIFE_S if lifetime_s is None else lifetime_s
        ident = f"at-{sha256(secret.encode()).hexdigest()[:16]}"
        self._tokens[secret] = ScimToken(ident, secret, description, now, now + life_s)
        self._newest = secret
        return secret

    def expire(self, token: str, in_s: float = 0.0) -> None:
        """Move the end of one token to so many seconds from now; `KeyError` if there is none."""
        self._tokens[token] = replace(self._tokens[token], expires=self._clock.wall() + in_s)

    def revoke(self, token: str) -> None:
        """End one token; no error if there is none such."""
        self._tokens.pop(token, None)

    def revoke_all(self) -> None:
        """End every token."""
        self._tokens.clear()

    def check_token(self, authorization: str | None) -> None:
        """Refuse whoever has no live SCIM token.

        Raises:
            ScimError: 401.
        """
        scheme, _, secret = (authorization or "").partition(" ")
        token = self._tokens.get(secret.strip())
        if scheme.lower() != "bearer" or token is None or not self.is_live(token):
            raise ScimError(401, "invalid token", headers={"WWW-Authenticate": "Bearer"})
        now = self._clock.wall()
        if token.last_used is None or now - token.last_used >= LAST_USED_STEP_S:
            self._tokens[token.secret] = replace(token, last_used=now)

    def check_open(self, pause_status: int = 403) -> None:
        """Refuse Users and Groups while SCIM is disabled or paused, in the same words.

        The troubleshooting guide shows these words for a pause: they tell the two apart no more
        than the status does.

        Args:
            pause_status: the status of the refusal while paused.

        Raises:
            ScimError: 403, or what is answered while paused.
        """
        if not self.enabled:
            raise ScimError(403, "SCIM is not enabled")
        if self.paused:
            raise ScimError(pause_status, "SCIM is not enabled")
