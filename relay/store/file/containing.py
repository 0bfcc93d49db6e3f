"""A part of a transaction whose fault is not the rest's: it is undone alone, logged and counted.

For work that goes row by row over what others wrote, where one row that cannot be used must not
keep the others from being done (L5). Trouble of the disk is no fault of a row, and goes through.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from relay.store.file.engine import is_trouble
from relay.telemetry import events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relay.store.file.transaction import Transaction

log = structlog.get_logger(__name__)


@contextmanager
def contained(tx: Transaction, where: str) -> Iterator[None]:
    """Leave out what fails by a fault of ours; `where` is for the log.

    Raises:
        DatabaseError: the disk is in trouble.
    """
    try:
        with tx.apart():
            yield
    except Exception as error:
        if is_trouble(error):
            raise
        log.exception(events.UNEXPECTED_ERROR, where=where)
        tx.outbox.counted.append(("unexpected", where))
