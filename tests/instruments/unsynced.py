"""The relay with `synchronous=NORMAL`, as no setting makes it: the control that must lose (A2)."""

from relay.cli import main
from relay.store.file import engine


def unsynced() -> None:
    """`scim-relay`, whose commits return before they are on disk."""
    opened = engine.open_writer
    engine.open_writer = lambda path, **_asked: opened(path, synchronous="NORMAL")
    main()


if __name__ == "__main__":
    unsynced()
