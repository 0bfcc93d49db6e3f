"""Every line of SQL, and the one file it speaks to."""

from relay.store.facade import Store, StoreSettings

__all__ = ["Store", "StoreSettings"]
