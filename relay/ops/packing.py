"""A support bundle's file: a tar.gz of text files that only its owner can read."""

from __future__ import annotations

import io
import os
import tarfile
from typing import TYPE_CHECKING, Any

import orjson

from relay.errors import RelayError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def pack(to: Path, parts: Mapping[str, Any], readme: str, at: float) -> int:
    """Write the parts, each a file: text as it is, a list as JSON Lines, all else as JSON.

    Args:
        to: the file, which must not be there yet.
        parts: by name.
        readme: what the bundle is.
        at: when, in seconds since the epoch.

    Returns:
        Its size in bytes.

    Raises:
        RelayError: it cannot be written there.
    """
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in {"README.txt": readme, **dict(map(_file, parts.items()))}.items():
            raw = content.encode()
            member = tarfile.TarInfo(f"support-bundle/{name}")
            member.size, member.mtime, member.mode = len(raw), int(at), 0o600
            archive.addfile(member, io.BytesIO(raw))
    try:
        descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            return file.write(made.getvalue())
    except OSError as error:
        raise RelayError(f"cannot write {to}: {error.strerror}; name another file") from None


def _file(part: tuple[str, Any]) -> tuple[str, str]:
    name, content = part
    if isinstance(content, str):
        return f"{name}.txt", content
    if isinstance(content, list):
        lines = (orjson.dumps(one).decode() for one in content)
        return f"{name}.jsonl", "".join(f"{line}\n" for line in lines)
    return f"{name}.json", orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()
