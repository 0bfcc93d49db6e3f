"""When a request to TFE may leave: the pacer."""

from relay.pace.pacer import Pacer

__all__ = ["Pacer"]
