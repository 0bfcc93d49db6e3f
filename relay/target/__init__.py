"""TFE's SCIM endpoint as a client sees it: sending, reading, the token."""

from relay.target.client import Endpoint, TargetClient
from relay.target.reads import ListPage, ReadFailed, Reads
from relay.target.token import FixedToken, TokenFile, TokenSource

__all__ = [
    "Endpoint",
    "FixedToken",
    "ListPage",
    "ReadFailed",
    "Reads",
    "TargetClient",
    "TokenFile",
    "TokenSource",
]
