"""What a command's exit code means; `docs/reference/exit-codes.md` says the same (C3)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Exit(IntEnum):
    """Why a command ended. Service managers and scripts act on it."""

    OK = 0  # done
    TROUBLE = 1  # the command ran and found trouble, or what was asked for does not exist
    BAD_CONFIGURATION = 2  # the configuration or the command line cannot be used
    UNREACHABLE = 3  # no daemon answers on the control socket
    STORE_REFUSED = 4  # the database cannot be opened as it is
    ALREADY_RUNNING = 5  # another daemon has the database
    INTERNAL = 70  # a fault of the relay itself (EX_SOFTWARE of sysexits.h)


MEANINGS: Final = {
    Exit.OK: "Done.",
    Exit.TROUBLE: "The command ran and found trouble, or what was asked for does not exist.",
    Exit.BAD_CONFIGURATION: "The configuration or the command line cannot be used.",
    Exit.UNREACHABLE: "No daemon answers on the control socket.",
    Exit.STORE_REFUSED: "The database cannot be opened as it is; the message names the cure.",
    Exit.ALREADY_RUNNING: "Another daemon has the database.",
    Exit.INTERNAL: "A fault of the relay itself; please report it.",
}
