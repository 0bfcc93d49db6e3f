"""Tokens of the tests, as they must never be seen again outside their own files (S1)."""

from __future__ import annotations

import re
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CANARY = re.compile(
    rb"idp-token-of-the-tests"
    rb"|scim-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)
"""What identity providers show to the relay, and what the stand-in issues."""

KEPT = ("*.db", "*.db-wal", "*.db-shm", "*.db.lock", "*.log", "*.json", "*.tar*")
"""What a relay, or a command of its, leaves on disk."""


def seen_in(text: bytes | str) -> list[str]:
    """The tokens in a text."""
    raw = text.encode() if isinstance(text, str) else text
    return [found.decode() for found in CANARY.findall(raw)]


def left_in(folder: Path) -> list[str]:
    """Files of a relay below a folder that hold a token."""
    files: Iterable[Path] = (file for kind in KEPT for file in folder.rglob(kind))
    return [str(file) for file in files if file.is_file() and any(map(seen_in, _texts(file)))]


def _texts(file: Path) -> list[bytes]:
    """What is in a file, and in a compressed archive what is in it."""
    if not file.name.endswith(".tar.gz"):
        return [file.read_bytes()]
    with tarfile.open(file) as archive:
        opened = [archive.extractfile(member) for member in archive]
        return [one.read() for one in opened if one is not None]
