"""Which identity provider is asking: bearer tokens, hashed at rest (S2).

Fails closed: no header, an empty token, a token that is a prefix of a live one, another scheme are
all nobody. The comparison goes through every live hash whatever it finds, in constant time each.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relay.front.settings import Connection

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


class TokenTable:
    """The live tokens' hashes.

    Attributes:
        connections: whose they are, in the configuration's order.
    """

    def __init__(self, connections: Iterable[Connection]) -> None:
        self._hashes: tuple[tuple[bytes, Connection], ...] = ()
        self.connections: tuple[Connection, ...] = ()
        self.replace(connections)

    def replace(self, connections: Iterable[Connection]) -> None:
        """Take other tokens from now on (rotation without restart).

        Raises:
            ValueError: a hash is not `sha256:` and 64 hex digits.
        """
        taken = tuple(connections)
        self._hashes = tuple(
            (_hash_bytes(text), connection)
            for connection in taken
            for text in connection.token_hashes
        )
        self.connections = taken

    def identify(self, header: str | None) -> Connection | None:
        """The connection whose token the `Authorization` header carries, or None."""
        token = presented_token(header)
        if token is None:
            return None
        digest = _digest(token)
        found = None
        for known, connection in self._hashes:
            if hmac.compare_digest(digest, known):  # no early exit: every hash is compared
                found = connection
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
