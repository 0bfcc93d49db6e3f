"""Configuration: read once, checked whole, then frozen.

`load` merges a TOML file with the environment (`SCIM_RELAY_TARGET__RATE=9`, which wins) and gives
a `Settings`, or raises `SettingsError` that names every problem at once (L9). Nothing here opens
a secret or looks at the network: that is what `scim-relay check` is for.
"""

from relay.rules.guard import Budget
from relay.settings.kinds import Address, Secret
from relay.settings.load import load
from relay.settings.model import Settings, Target
from relay.settings.serving import Connection, Listen

__all__ = [
    "Address",
    "Budget",
    "Connection",
    "Listen",
    "Secret",
    "Settings",
    "Target",
    "load",
]
