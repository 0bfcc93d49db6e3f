"""The audit log as JSON lines: entries for auditors, and the heads that a log stream has of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from relay.rules.chain import Entry, Head, Kept

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from relay.rules.types import Json, JsonObject

HEAD_EVENT: Final = "audit.head"
"""The log event that tells a head; its fields are `entry` and `hash`."""


def to_line(kept: Kept) -> JsonObject:
    """An entry as it is exported; `of_line` finds every byte of it again."""
    entry = kept.entry
    return {
        "entry": entry.number,
        "at": moment(entry.at_us),
        "at_us": entry.at_us,
        "event": entry.event,
        "actor": entry.actor,
        "change": entry.change,
        "resource": entry.resource,
        "attempt": entry.attempt,
        "what": _plain(entry.what),
        "words": kept.words,
        "salt": None if kept.salt is None else kept.salt.hex(),
        "commitment": None if entry.commitment is None else entry.commitment.hex(),
        "hash": None if kept.hash is None else kept.hash.hex(),
    }


def of_line(line: JsonObject) -> Kept:
    """The entry that a line tells."""
    told: dict[str, Any] = dict(line)
    what = told["what"]
    entry = Entry(
        told["entry"],
        told["at_us"],
        told["event"],
        told["actor"],
        told["change"],
        told["resource"],
        told["attempt"],
        None if what is None else orjson.dumps(what).decode(),
        _bytes(told["commitment"]),
    )
    return Kept(entry, _bytes(told["hash"]), told["words"], _bytes(told["salt"]))


def moment(at_us: int) -> str:
    """Microseconds since the epoch as RFC 3339 text in UTC."""
    at = datetime.fromtimestamp(at_us // 1_000_000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_us % 1_000_000:06}Z"


def _plain(what: str | None) -> Json:
    try:
        found: Json = None if what is None else orjson.loads(what)
    except orjson.JSONDecodeError:
        return what  # somebody wrote it past the relay: the hash will not be right either
    return found


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


def heads_in(lines: Iterable[str]) -> Iterator[Head]:
    """The heads that a JSON-lines log tells, in its order; every other line is passed over."""
    for line in lines:
        if HEAD_EVENT not in line:
            continue
        try:
            told = json.loads(line[max(line.find("{"), 0) :])
        except json.JSONDecodeError:
            continue
        number, text = told.get("entry"), told.get("hash")
        if told.get("event") == HEAD_EVENT and isinstance(number, int) and isinstance(text, str):
            yield Head(number, _claimed(text))


def _claimed(text: str) -> bytes:
    """The hash that a log tells; one that was damaged there is met by no entry."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return text.encode()


class Anchors:
    """Heads from elsewhere, held against a chain while somebody walks along it.

    Args:
        heads: in the order in which they were told; only one at a time is held.
        start: where the chain begins; what is before was pruned.
    """

    def __init__(self, heads: Iterator[Head], start: Head) -> None:
        self._heads = heads
        self._next = next(heads, None)
        self._last = Head()
        self.checked = 0
        self.pruned = 0
        """Heads from before the chain's beginning."""
        self.broken: tuple[int, str] | None = None
        """The first head that the chain does not have, and what is wrong."""
        while self._next is not None and self._next.number < start.number:
            self.pruned += 1
            self._advance()
        self.look(start)

    def look(self, at: Head) -> None:
        """The walk has come to this entry."""
        while self._next is not None and self._next.number <= at.number and self.broken is None:
            if self._next.number == at.number and self._next.hash != at.hash:
                self.broken = (at.number, "the log saw another entry in its place")
            self.checked += 1
            self._advance()

    def end(self) -> None:
        """The walk is over: every head should have been met."""
        if self.broken is None and self._next is not None:
            number = self._next.number
            self.broken = (number, "the log saw it, and it is not there: the end was cut off")
        if self.broken is None and not self.checked + self.pruned:
            self.broken = (0, f"there is no {HEAD_EVENT} in the log")

    @property
    def ahead(self) -> bool:
        """The log knows of entries that were not walked along yet."""
        return self._next is not None and self.broken is None

    def _advance(self) -> None:
        assert self._next is not None
        self._last, self._next = self._next, next(self._heads, None)
        if self._next is None or self.broken is not None:
            return
        if self._next.number < self._last.number:
            why = f"the log saw entry {self._last.number} before it: the chain went back"
            self.broken = (self._next.number, why)
        elif self._next.number == self._last.number and self._next.hash != self._last.hash:
            self.broken = (self._next.number, "the log saw two different entries there")
