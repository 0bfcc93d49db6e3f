"""Whose a user or a group is: the connection's that created it, or that an operator gave it to.

Pure. It matters to connections with `scope = "own"` only: they change what is theirs and nothing
else. What TFE had before the relay is nobody's until it is given (decision 11).
"""

from __future__ import annotations

from typing import Final

NOBODY: Final = "nobody"
"""The owner of what no connection created and none was given."""

RESERVED: Final = frozenset({"import", NOBODY, "relay"})
"""Words of the relay's own where a connection's name stands: no connection is called so."""


def owner_of(origin: str, given_to: str | None) -> str:
    """Whose it is; an operator's word outranks who created it."""
    if given_to is not None:
        return given_to
    return NOBODY if origin in RESERVED else origin
