"""Who may call TFE's SCIM surface: tokens, the site-level pause, SCIM switched on or off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.simulator.errors import ScimError

if TYPE_CHECKING:
    from relay.clock import Clock, Ids


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
        self._ends: dict[str, float | None] = {}
        self._newest = self.issue(token)

    @property
    def newest(self) -> str:
        """The token issued last, live or not."""
        return self._newest

    def live_tokens(self) -> list[str]:
        """Tokens that are accepted now, oldest first."""
        return [token for token in self._ends if self._is_live(token)]

    def issue(self, token: str | None = None, lifetime_s: float | None = None) -> str:
        """One more token; the others stay. None for `lifetime_s`: it does not end by itself."""
        new = token or f"scim-{self._ids.new_id()}"
        self._ends[new] = None if lifetime_s is None else self._clock.wall() + lifetime_s
        self._newest = new
        return new

    def revoke(self, token: str) -> None:
        """End one token; no error if there is none such."""
        self._ends.pop(token, None)

    def revoke_all(self) -> None:
        """End every token."""
        self._ends.clear()

    def check_token(self, authorization: str | None) -> None:
        """Refuse whoever has no live SCIM token.

        Raises:
            ScimError: 401.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not self._is_live(token.strip()):
            raise ScimError(401, "invalid token", headers={"WWW-Authenticate": "Bearer"})

    def check_open(self) -> None:
        """Refuse Users and Groups while SCIM is disabled or paused.

        Raises:
            ScimError: 403.
        """
        if not self.enabled:
            raise ScimError(403, "SCIM is disabled")
        if self.paused:
            raise ScimError(403, "SCIM provisioning is paused")

    def _is_live(self, token: str) -> bool:
        if token not in self._ends:
            return False
        end = self._ends[token]
        return end is None or self._clock.wall() < end
