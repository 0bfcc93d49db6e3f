"""What auditors ask over the control socket: pages of the audit log, and reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relay.store.operate.audit_reading import EntryFilter

if TYPE_CHECKING:
    from relay.ops.control import Route
    from relay.rules.types import Json, JsonObject
    from relay.store import Store


class Auditors:
    """Reads only; whoever may open the control socket may read the audit log."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> dict[str, Route]:
        """What the control socket answers."""
        return {"audit/entries": self._entries, "audit/revocations": self._revocations}

    async def _entries(self, arguments: JsonObject, _actor: str) -> Json:
        """The next page; it says what the first entry of all follows on."""
        after = arguments.get("after")
        found = await self._store.audit.page(
            entry_filter(arguments), after if isinstance(after, int) else 0
        )
        start: JsonObject = {"entry": found.start.number, "hash": found.start.hash.hex()}
        return {"start": start, "entries": [*found.lines]}

    async def _revocations(self, arguments: JsonObject, _actor: str) -> Json:
        since = arguments.get("since")
        return await self._store.audit.revocations(
            float(since) if isinstance(since, int | float) else 0.0
        )


def entry_filter(arguments: JsonObject) -> EntryFilter:
    """The conditions that a command's options name."""
    found: dict[str, Any] = {
        name: float(value) for name in ("since", "until") if (value := _number(arguments, name))
    }
    for name in ("connection", "event", "resource"):
        if arguments.get(name):
            found[name] = str(arguments[name])
    return EntryFilter(**found)


def _number(arguments: JsonObject, name: str) -> float | None:
    value = arguments.get(name)
    return value if isinstance(value, int | float) else None
