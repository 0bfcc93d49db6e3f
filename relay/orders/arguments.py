"""What an order says: whom it means, and why; nothing is done to everything by accident."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.errors import RelayError
from relay.store.operate.held import Selection
from relay.store.operate.listing import ChangeFilter

if TYPE_CHECKING:
    from relay.rules.types import JsonObject

SHOWN: Final = 1000
"""Rows in one answer."""


def filter_of(arguments: JsonObject, now: float) -> ChangeFilter:
    """The conditions that a command's options name; `older_s` is an age in seconds."""
    texts = {
        name: str(arguments[name])
        for name in ("state", "kind", "resource", "connection")
        if arguments.get(name)
    }
    older = arguments.get("older_s")
    return ChangeFilter(**texts, before=now - older if isinstance(older, int | float) else None)


def why_of(arguments: JsonObject) -> str:
    """The reason an order must have.

    Raises:
        RelayError: none is given.
    """
    reason = arguments.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise RelayError("cannot do it without a reason: it is kept in the audit log")
    return reason.strip()


def selection_of(arguments: JsonObject, *, empty: bool = False) -> Selection:
    """Which held effects are meant.

    Raises:
        RelayError: no filter is given and `all` is not said: nothing is decided by accident.
    """
    names = ("connection", "person", "group")
    texts = {name: str(arguments[name]) for name in names if arguments.get(name)}
    change = arguments.get("change")
    if not (texts or isinstance(change, int) or arguments.get("all") or empty):
        raise RelayError("cannot decide on everything by accident: give a filter, or --all")
    return Selection(
        texts.get("connection"),
        texts.get("person"),
        texts.get("group"),
        change if isinstance(change, int) else None,
    )
