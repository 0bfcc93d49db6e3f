"""Every line of SQL, and the one file it speaks to."""

from relay.store.facade import Store
from relay.store.opening import StoreSettings

__all__ = ["Store", "StoreSettings"]
