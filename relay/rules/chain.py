"""The audit log's chain: what of an entry is hashed, and where a chain is broken.

In charge of the canonical form (docs/explanation/audit.md, which a test holds to it). An entry's
hash is SHA-256 over the hash before it and the entry as compact JSON, so that nothing before an
entry can be altered, left out or put in without its hash changing. What may name a person is not
hashed itself: the chain holds a salted commitment to it, so that it can be forgotten.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, NamedTuple

import orjson

GENESIS: Final = bytes(32)
"""What the first entry of all is chained to."""
SALT_BYTES: Final = 16
"""Enough that nobody finds a name by trying all of them."""


class Head(NamedTuple):
    """Where a chain stands: its last entry's number and hash."""

    number: int = 0
    hash: bytes = GENESIS


class Entry(NamedTuple):
    """One entry as it is hashed, in the order of the canonical form.

    Attributes:
        number: without gaps, in the order of writing.
        at_us: microseconds since the epoch.
        event: what was decided.
        actor: the connection, the operator with uid, or `relay`.
        change: which change it is about.
        resource: which user or group, by the relay's own number.
        attempt: the request to the target that decided it.
        what: the particulars, as compact JSON; nothing in it names a person.
        commitment: to the words that may name one; None if there were none.
    """

    number: int
    at_us: int
    event: str
    actor: str
    change: int | None
    resource: int | None
    attempt: int | None
    what: str | None
    commitment: bytes | None


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry as it is stored.

    Attributes:
        entry: what is hashed.
        hash: None if an earlier release wrote it and no later one was started since.
        words: what may name a person; None if there were none, or they are forgotten.
        salt: of the commitment to the words; goes with them.
    """

    entry: Entry
    hash: bytes | None
    words: str | None = None
    salt: bytes | None = None


def micros(at: float) -> int:
    """Seconds since the epoch in whole microseconds."""
    return round(at * 1_000_000)


def canonical(entry: Entry) -> bytes:
    """The bytes of an entry that are hashed: a JSON array without spaces, in UTF-8."""
    *plain, what, commitment = entry
    plain.append(None if what is None else orjson.Fragment(what))
    plain.append(None if commitment is None else commitment.hex())
    return orjson.dumps(plain)


def link(before: bytes, entry: Entry) -> bytes:
    """An entry's hash, chained to the one before it."""
    return hashlib.sha256(before + canonical(entry)).digest()


def commit(salt: bytes, words: str) -> bytes:
    """A commitment to words: it proves them while salt and words are there, and tells nothing."""
    return hashlib.sha256(salt + words.encode()).digest()


class Walk:
    """Goes along a chain, entry by entry, and stops at the first that is not as it was written.

    Args:
        start: what the first entry must follow on: the anchor of what was pruned, or the genesis.
    """

    def __init__(self, start: Head) -> None:
        self.start = start
        self.at = start
        self.entries = 0
        self.forgotten = 0
        """Entries whose words are gone; the commitment is still chained."""
        self.unchained = 0
        """Entries at the end that an earlier release wrote."""
        self.broken: tuple[int, str] | None = None
        """The first entry that is not as it was written, and what is wrong with it."""

    def skip_pruned(self, start: Head) -> None:
        """The chain begins later than it did when the walk began: what is between was pruned."""
        if self.broken is None and start.number > self.at.number:
            self.at = start

    def step(self, kept: Kept) -> bool:
        """Look at the next entry; False if the chain is broken here, or was before."""
        if self.broken is None and (wrong := self._wrong(kept)) is not None:
            self.broken = (self.at.number + 1, wrong)
        if self.broken is not None:
            return False
        self.entries += 1
        self.forgotten += kept.entry.commitment is not None and kept.words is None
        if kept.hash is None:
            self.unchained += 1
        self.at = Head(kept.entry.number, kept.hash or self.at.hash)
        return True

    def _wrong(self, kept: Kept) -> str | None:
        entry, expected = kept.entry, self.at.number + 1
        if entry.number != expected:
            return f"it is missing; entry {entry.number} follows on entry {self.at.number}"
        if kept.hash is None:
            return None
        if self.unchained:
            return "it is not chained, and what follows is"
        if kept.words is not None and not _keeps(kept):
            return "its words are not those that were written"
        if kept.hash != link(self.at.hash, entry):
            return "it, or the entry before it, is not as it was written"
        return None


def _keeps(kept: Kept) -> bool:
    """Whether the words are those that were committed to."""
    if kept.salt is None or kept.words is None or kept.entry.commitment is None:
        return False
    return kept.entry.commitment == commit(kept.salt, kept.words)
