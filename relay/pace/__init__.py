"""When a request to TFE may leave: the pacer."""

from relay.pace.pacer import Pacer, Slot

__all__ = ["Pacer", "Slot"]
