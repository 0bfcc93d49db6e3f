"""Which identity provider is asking: bearer tokens, hashed at rest (S2).

Fails closed: no header, an empty token, a token that is a prefix of a live one, another scheme are
all nobody. The comparison goes through every live hash whatever it finds, in constant time each.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relay.front.settings import Connection
    from relay.settings.tokens import InboundToken

HASH_PREFIX = "sha256:"
_WINDOW_S = 60.0
_MAX_ADDRESSES = 4_096


def presented_token(header: str | None) -> str | None:
    """The token in an `Authorization` header: `Bearer T`, or `T` alone; None for none.

    Okta's *HTTP header* authentication sends the token field verbatim, without the word `Bearer` if
    the administrator left it out (idp-dialects section 6).
    """
    scheme, _, rest = (header or "").strip().partition(" ")
    if not rest:
        return scheme if scheme and scheme.lower() != "bearer" else None
    return (rest.strip() or None) if scheme.lower() == "bearer" else None


def _digest(token: str) -> bytes:
    # aiohttp decodes headers with surrogateescape; compare_digest takes no non-ASCII text (P11).
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


@dataclass(slots=True)
class LiveToken:
    """One token that may be presented.

    Attributes:
        connection: whose it is.
        known: its label and its end.
        digest: of the token.
        last_used: when somebody was let in with it, seconds since the epoch, or None.
    """

    connection: Connection
    known: InboundToken
    digest: bytes
    last_used: float | None = None

    def ended(self, now: float) -> bool:
        """Whether it is taken no more."""
        return self.known.ends is not None and self.known.ends <= now


class TokenTable:
    """The tokens that may be presented, by their hashes.

    Attributes:
        connections: whose they are, in the configuration's order.
        tokens: all of them.
    """

    def __init__(self, connections: Iterable[Connection]) -> None:
        self.tokens: tuple[LiveToken, ...] = ()
        self.connections: tuple[Connection, ...] = ()
        self.replace(connections)

    def replace(self, connections: Iterable[Connection]) -> None:
        """Take other tokens from now on (rotation without restart); last uses stay known.

        Raises:
            ValueError: a hash is not `sha256:` and 64 hex digits.
        """
        taken = tuple(connections)
        used = {one.digest: one.last_used for one in self.tokens}
        fresh = [
            LiveToken(connection, known, _hash_bytes(known.hash))
            for connection in taken
            for known in connection.tokens
        ]
        for one in fresh:
            one.last_used = used.get(one.digest)
        self.tokens, self.connections = tuple(fresh), taken

    def find(self, header: str | None) -> LiveToken | None:
        """The token that the `Authorization` header carries, ended or not, or None."""
        token = presented_token(header)
        if token is None:
            return None
        digest = _digest(token)
        found = None
        for known in self.tokens:
            if hmac.compare_digest(digest, known.digest):  # no early exit: every hash is compared
                found = known
        return found


def _hash_bytes(text: str) -> bytes:
    digest = bytes.fromhex(text.removeprefix(HASH_PREFIX))
    if not text.startswith(HASH_PREFIX) or len(digest) != hashlib.sha256().digest_size:
        raise ValueError("a token hash is sha256: and 64 hex digits")
    return digest


class FailureLimiter:
    """Counts wrong tokens by address, so that guessing is told to slow down.

    Only wrong tokens are ever turned away: a right one always passes, since behind a proxy all
    identity providers share an address and one wrong configuration must not lock the others out.

    Args:
        limit: wrong tokens from one address in a minute before 429.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def failed(self, address: str, now_s: float) -> int:
        """Count a wrong token; seconds to wait if there were too many, else 0.

        Args:
            address: whence it came.
            now_s: monotonic seconds.
        """
        began, count = self._windows.pop(address, (now_s, 0))
        if now_s - began >= _WINDOW_S:
            began, count = now_s, 0
        self._windows[address] = (began, count + 1)
        if len(self._windows) > _MAX_ADDRESSES:
            self._windows.popitem(last=False)
        return 0 if count < self._limit else int(began + _WINDOW_S - now_s) + 1
