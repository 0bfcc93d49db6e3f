"""Replacing the token in a file so that whoever reads it finds the old one whole or the new one.

The file keeps its mode and owner, as far as the relay may set them.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from relay.errors import RelayError

if TYPE_CHECKING:
    from pathlib import Path


def refuse_unwritable(path: Path) -> None:
    """Tell before anything is made that the file cannot be replaced.

    Raises:
        RelayError: it is a link (Kubernetes swaps those), or its directory cannot be written.
    """
    hand = "replace the token by hand, see docs/how-to/rotate-tokens.md"
    if path.is_symlink():
        raise RelayError(f"cannot write {path}: it is a link that something else replaces; {hand}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise RelayError(f"cannot write in {path.parent}; {hand}")


def replace_token(path: Path, token: str) -> None:
    """Put a token in the file's place, on disk before this returns.

    Raises:
        OSError: the disk or the directory takes nothing; the old file stands.
    """
    beside = _beside(path)
    discard_unfinished(path)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{token}\n")
            file.flush()
            _as_before(path, file.fileno())
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def discard_unfinished(path: Path) -> None:
    """Remove the secret that a death left beside the file, not yet in its place.

    Raises:
        OSError: the directory does not let it go.
    """
    _beside(path).unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def _as_before(path: Path, descriptor: int) -> None:
    """Mode and owner of the file that is there; another's ownership only root can give."""
    try:
        old = path.stat()
    except FileNotFoundError:
        return
    with contextlib.suppress(PermissionError):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
