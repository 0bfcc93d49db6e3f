"""The configuration as it may be shown to others: no token, no hash, no password of a proxy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from relay.settings.kinds import Secret

if TYPE_CHECKING:
    from relay.rules.types import JsonObject
    from relay.settings.model import Settings

HIDDEN: Final = "***"
_SECRET: Final = frozenset({"token", "token_hash", "password", "secret"})
_USERINFO: Final = re.compile(r"//[^/@\s]+@")
NAMING: Final = ("protected_users", "protected_groups", "links")
"""Keys whose values name people, groups and teams."""


def told(settings: Settings) -> JsonObject:
    """Every key with its value, secrets and hashes hidden."""
    return {name: _shown(value, name) for name, value in settings.model_dump().items()}


def _shown(value: Any, name: str) -> Any:
    if value and name in _SECRET:
        return HIDDEN
    match value:
        case Secret():
            return HIDDEN
        case dict():
            return {str(key): _shown(inner, str(key)) for key, inner in value.items()}
        case list() | tuple() | frozenset() | set():
            return [_shown(inner, name) for inner in value]
        case bool() | int() | float() | None:
            return value
    return _USERINFO.sub(f"//{HIDDEN}@", str(value))
