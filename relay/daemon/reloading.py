"""Taking the configuration's connections anew without a restart: SIGHUP, or `scim-relay reload`.

What faces identity providers is read again (who they are, their tokens, what each may do), and when
TFE's token ends. Everything else needs a restart, and is named. A file that cannot be used changes
nothing: what was taken before stays (L9).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from relay.daemon.wiring import connections_of
from relay.errors import SettingsError, Unavailable
from relay.settings import load
from relay.telemetry import events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from relay.front.auth import TokenTable
    from relay.front.settings import Connection
    from relay.ops.control import Route
    from relay.rules.types import Json, JsonObject
    from relay.settings import Settings
    from relay.site.expiry import ConfiguredEnd
    from relay.store import Store

log = structlog.get_logger(__name__)

_TAKEN: Final = {"connections", "target.token_expires"}
_APART: Final = {"target.token"}
"""From the environment, which a running process's cannot change; a secret is not compared."""


class Reloading:
    """Reads the configuration again.

    Args:
        config: the file; None when the environment is all there is.
        settings: what the relay was started with.
        tokens: replaced.
        end: of TFE's token, set anew.
        store: for the audit log.
        taken: told once something was taken anew.
    """

    def __init__(
        self,
        config: Path | None,
        settings: Settings,
        tokens: TokenTable,
        end: ConfiguredEnd,
        store: Store,
        taken: Callable[[], None],
    ) -> None:
        self._config = config
        self._settings = settings
        self._tokens = tokens
        self._end = end
        self._store = store
        self._taken = taken
        self._one_at_a_time = asyncio.Lock()

    def routes(self) -> dict[str, Route]:
        """What the control socket answers."""
        return {"reload": self._order}

    async def _order(self, _arguments: JsonObject, actor: str) -> Json:
        return await self.reload(actor)

    async def signalled(self, again: asyncio.Event) -> None:
        """Reload at every SIGHUP, until cancelled; a bad file is in the log."""
        while True:
            await again.wait()
            again.clear()
            try:
                await self.reload("SIGHUP")
            except SettingsError:
                continue

    async def reload(self, actor: str) -> JsonObject:
        """Take the connections as the file has them now; what was taken, and what was not.

        Raises:
            SettingsError: it cannot be used; everything stays as it is.
        """
        async with self._one_at_a_time:
            try:
                settings, connections = await asyncio.to_thread(self._read)
            except SettingsError as error:
                log.error(events.CONFIG_REFUSED, ordered=actor, problems=error.problems)  # noqa: TRY400 - no fault of ours
                raise
            self._tokens.replace(connections)
            self._end.at = settings.target.token_expires
            self._taken()
            names = [one.name for one in connections]
            left = sorted(differing(self._settings, settings))
            log.info(events.CONFIG_RELOADED, ordered=actor, connections=names, needs_restart=left)
            await self._audit(actor, names)
            return {
                "connections": list(names),
                "tokens": len(self._tokens.tokens),
                "needs_restart": list(left),
            }

    def _read(self) -> tuple[Settings, tuple[Connection, ...]]:
        settings = load(self._config)
        return settings, connections_of(settings)

    async def _audit(self, actor: str, names: list[str]) -> None:
        what: JsonObject = {"connections": list(names)}
        try:
            await self._store.run(lambda tx: tx.audit("reloaded", actor, what=what))
        except Unavailable as error:  # the disk is in trouble; a rotation does not wait for it
            log.warning(events.STORE_TROUBLE, reason=error.detail)


def differing(old: Settings, new: Settings) -> Iterator[str]:
    """The keys that a reload does not take and that are not as they were, `table.key`."""
    for table in type(old).model_fields:
        before, after = getattr(old, table), getattr(new, table)
        keys = getattr(type(before), "model_fields", None)
        if keys is None:
            if table not in _TAKEN and before != after:
                yield table
            continue
        for key in keys:
            name = f"{table}.{key}"
            if name not in _TAKEN | _APART and getattr(before, key) != getattr(after, key):
                yield name
