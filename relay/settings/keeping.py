"""Settings of what is kept: the database, its history, and the audit log.

Annotations are read at run time by pydantic, hence no `from __future__ import annotations`.
"""

from pathlib import Path
from typing import Literal

from relay.settings.base import Section, key
from relay.settings.kinds import Duration, Size


class Store(Section):
    """The database: one SQLite file, never on a network filesystem."""

    path: Path = key("/var/lib/scim-relay/relay.db", "The database's file; made at first start.")
    max_pending: int = key(
        1_000_000,
        "Changes that may wait; more are answered 503 with `Retry-After`. A tenth more may wait"
        " if it takes access away.",
        ge=1,
    )
    history: Duration = key(
        "90d",
        "How long settled changes and their attempts are kept, the audit log apart;"
        " `0s` keeps them for ever.",
    )
    min_free: Size = key(
        "64MB",
        "Free space on its disk below which identity providers are answered 503, so that what TFE"
        " says can still be written down.",
    )
    max_wal: Size = key(
        "64MB",
        "What its write-ahead log is cut back to; a restart reads that much again.",
        ge=1_000_000,
    )
    cache: Size = key(
        "32MB", "Pages kept in memory by each of the two connections that serve.", ge=1_000_000
    )


class Audit(Section):
    """Who decided what, when, and by which request it was delivered; every entry is chained."""

    personal: Literal["full", "minimal"] = key(
        "full",
        "`full`: entries carry the names of whom they are about, and TFE's own words; `minimal`:"
        " numbers only. Reasons that operators give are kept in both."
        " `scim-relay erase` forgets a person either way.",
    )
    history: Duration = key(
        "400d",
        "How long entries are kept; the chain then begins at the last one that went. A year's audit"
        " and a month to do it in; `0s` keeps them for ever.",
    )
    personal_history: Duration = key(
        "400d", "How long names and words are kept; the entry stays. `0s`: as long as the entry."
    )
