"""A new database without its making: thousands of tests begin with one, migrated from nothing.

What a first start does to an empty folder is proved where it is meant (`tests/store`, L7).
"""

import tempfile
from functools import cache
from pathlib import Path

from relay.store.file import engine


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fresh.db"
        engine.open_writer(path, synchronous="OFF").close()
        return path.read_bytes()


def lay(path: Path) -> None:
    """Have an empty, migrated database there that nobody has opened, if there was never one."""
    if not path.exists() and not path.with_name(path.name + ".lock").exists():
        path.touch(0o600)
        path.write_bytes(_migrated())
