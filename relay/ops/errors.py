"""What can go wrong between a command and the daemon; light enough for every command to import."""

from __future__ import annotations

from relay.errors import RelayError


class DaemonUnreachable(RelayError):
    """No daemon answers on the control socket; the message names the path and the cure."""


class OtherVersion(RelayError):
    """The daemon does not know what it was asked; the message names both versions and the cure."""


class NotFound(RelayError):
    """What a command named does not exist; the message says what."""
