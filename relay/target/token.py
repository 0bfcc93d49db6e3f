"""The bearer token for TFE, and its replacement without a restart (D11, P11, S1).

In charge of the secret from disk to the one header that carries it. The file is looked at again
before each request, by inode, time and size: watching it by events misses both an atomic replace
and Kubernetes' symlink swap. Nothing here ever puts the token into a message or a `repr`.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final, Protocol

from relay.errors import NotSent

if TYPE_CHECKING:
    from pathlib import Path

_MAX_BYTES: Final = 65_536
"""No token is longer; a mistaken path to a big file is not read into memory."""


class TokenSource(Protocol):
    """Where the token comes from."""

    @property
    def version(self) -> int:
        """Grows whenever `reveal` has begun to give another token."""
        ...

    def reveal(self) -> str:
        """The token now; raises NotSent if there is none."""
        ...


class FixedToken:
    """A token from the environment: it stays what it is."""

    __slots__ = ("_token",)

    def __init__(self, token: str) -> None:
        self._token = token

    @property
    def version(self) -> int:
        """Always 1."""
        return 1

    def reveal(self) -> str:
        """The token; to be called only where the header is built."""
        return self._token


class TokenFile:
    """A token in a file that may be replaced at any time.

    While a new file is unreadable, empty or malformed the last good token stays in use: a
    replacement that is not atomic passes through such states.
    """

    __slots__ = ("_path", "_seen", "_token", "_version")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._token: str | None = None
        self._seen: tuple[int, int, int] | None = None
        self._version = 0

    def __repr__(self) -> str:
        """The path and never the token."""
        return f"TokenFile({str(self._path)!r})"

    @property
    def version(self) -> int:
        """How many different tokens the file has held so far; looks at the file."""
        try:
            self._refresh()
        except NotSent:
            return self._version
        return self._version

    def reveal(self) -> str:
        """The token now; to be called only where the header is built.

        Raises:
            NotSent: there never was a good token in the file.
        """
        self._refresh()
        assert self._token is not None
        return self._token

    def _refresh(self) -> None:
        """Read the file if it changed; raises NotSent if that leaves us without any token."""
        try:
            status = os.stat(self._path)  # noqa: PTH116 - one call, each request
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen == self._seen:
                return
            token = self._read(status)
        except (OSError, ValueError) as error:
            if self._token is None:
                reason = error.strerror if isinstance(error, OSError) else error
                raise NotSent(f"cannot read the token file {self._path}: {reason}") from None
            return
        self._version += token != self._token
        self._token, self._seen = token, seen

    def _read(self, status: os.stat_result) -> str:
        """The file's token; raises ValueError, without its text, if it cannot be one."""
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is no regular file")
        if status.st_size > _MAX_BYTES:
            raise ValueError("it is too big to hold a token")
        token = self._path.read_bytes().strip().decode("ascii", "replace")
        if not token:
            raise ValueError("it is empty")
        if not (token.isascii() and token.isprintable() and " " not in token):
            raise ValueError("it holds more than one word, or characters no token has")
        return token
