"""What a support bundle holds: collected in the running relay, or from its files while it is down.

Names leave only if they are asked for (`relay.rules.redacting`); tokens and hashes never.
"""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

from relay import __version__
from relay.rules.redacting import Redactor
from relay.settings.told import NAMING, told
from relay.store.file.engine import SQLITE_VERSION
from relay.telemetry.recent import RECENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from relay.ops.control import Route
    from relay.rules.types import Json, JsonObject
    from relay.settings import Settings
    from relay.store import Store
    from relay.telemetry.metrics import Metrics

LIBRARIES: Final = (
    "aiohttp", "asyncio-throttle", "click", "orjson", "prometheus-client", "pydantic",
    "pydantic-settings", "pysqlite3", "sqlite-utils", "structlog",
)  # fmt: skip

_OLDEST: Final[JsonObject] = {"state": "pending", "older_s": 60, "limit": 100}
_ASKED: Final[dict[str, tuple[str, JsonObject]]] = {
    "status": ("status", {}),
    "shape": ("shape", {}),
    "holds": ("holds/list", {}),
    "parked": ("changes/list", {"state": "parked", "limit": 100}),
    "pending": ("changes/list", _OLDEST),
}


class Bundling:
    """Collects what a running relay knows of itself.

    Args:
        settings: in force.
        routes: what the control socket answers: a bundle holds what operators are shown.
        store: for the last attempts that went wrong.
        metrics: as scraped.
    """

    def __init__(
        self,
        settings: Settings,
        routes: Mapping[str, Route],
        store: Store,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._routes = routes
        self._store = store
        self._metrics = metrics

    def routes(self) -> dict[str, Route]:
        """What the control socket answers."""
        return {"support": self._support}

    async def _support(self, arguments: JsonObject, actor: str) -> Json:
        """Everything by name; `metrics` is text."""
        found: JsonObject = {
            name: await self._routes[route](asked, actor) for name, (route, asked) in _ASKED.items()
        }
        attempts, seed = await self._store.desk.troubles()
        found["attempts"] = attempts
        found["log"] = _plain(RECENT.lines())
        redactor = None if arguments.get("with_names") else Redactor(seed)
        shown: JsonObject = found if redactor is None else redactor.redacted(found)
        shown["versions"] = versions()
        shown["configuration"] = configuration(self._settings, redactor)
        shown["metrics"] = self._metrics.exposition().decode()
        return shown


def configuration(settings: Settings, redactor: Redactor | None) -> JsonObject:
    """Every key; with a redactor people, groups and teams are pseudonyms."""
    shown: dict[str, Any] = told(settings)
    if redactor is None:
        return shown
    for name in NAMING:
        for table in (shown, *shown.values()):
            if isinstance(table, dict) and table.get(name):
                table[name] = _named(table[name], redactor)
    whole: JsonObject = _named(shown, redactor, only="@")
    return whole


def versions() -> JsonObject:
    """Of the relay and of all it stands on."""
    return {
        "relay": __version__,
        "python": sys.version.split()[0],
        "sqlite": SQLITE_VERSION,
        "os": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "libraries": {name: _version(name) for name in LIBRARIES},
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def _named(value: Any, redactor: Redactor, only: str = "") -> Any:
    """Every text a pseudonym, however deep; with `only`, every text that has this in it."""
    match value:
        case dict():
            return {key: _named(one, redactor, only) for key, one in value.items()}
        case list():
            return [_named(one, redactor, only) for one in value]
        case str() if only in value:
            return redactor.pseudonym(value)
    return value


def _plain(value: Any) -> Any:
    """What JSON has no form for as text."""
    match value:
        case dict():
            return {str(key): _plain(one) for key, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
        case bool() | int() | float() | str() | None:
            return value
    return str(value)
