"""What a fuzzer makes of recorded requests: the same seed gives the same inputs, for ever.

Half of what comes out is JSON still, with odd values at odd places, so that it gets past the first
look; the rest is damaged as bytes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from support.recorded import FILES, lines_of

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

NUMBERS = [
    b"1e999", b"-1e999", b"1e-999", b"-0", b"0.1e1", b"9" * 400, b"-9223372036854775809", b"NaN",
    b"18446744073709551616", b"Infinity", b"1.7976931348623157e308", b"01", b"+1", b"0x10",
]  # fmt: skip
TEXTS = [
    rb'"\ud800"', rb'"\udfff\ud800"', rb'"\u0000"', b'"\xed\xa0\x80"', b'"\xff"', b'"\\x41"',
    b'"\n"', b'""', b'" "', b'"' + b"x" * 5_000 + b'"', '"\U0001f600\u202e\ufeff"'.encode(),
    b'"' + "\u0130\u0131\u017f\u212a".encode() + b'"', b'"a\\"b"', rb'"members[value eq \"u1\"]"', b'"members["',
    rb'"emails[type eq \"work\" and (primary eq true)].value"', b'"urn:x:y"', b'"a.b.c.d"',
    b'"' + b"(" * 300 + b'"', b'"not not not"', rb'"emails[value eq \"\\ud800\"]"', b'"members"',
    b'"False"', b'"add"', b'"REMOVE"', b'"name"', b'"active"', b'"groups"', b'"id"',
]  # fmt: skip
WORDS = [*NUMBERS, *TEXTS, b"null", b"true", b"false", b"{}", b"[]", b"[[]]", b"[null]", b'{"":0}']
KEYS = [
    "userName", "USERNAME", "emails", "emails.value", 'emails[type eq "work"].value', "value",
    "active", "members", "members[", 'members[value eq "u1"]', "Operations", "op", "path", "name",
    "displayName", "externalId", "schemas", "id", "meta", "groups", "password", "", " ", "\x00",
    "urn:ietf:params:scim:schemas:core:2.0:User:userName", "urn:x", "manager", "primary", "type",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "a.b.c", "name.givenName.x",
]  # fmt: skip
MARK = "\x01here\x01"
_MARKED = json.dumps(MARK).encode()


@dataclass(frozen=True)
class Input:
    """One request as it would come in: method, path below the base, query, body."""

    method: str
    path: str
    query: str
    body: bytes


@dataclass(frozen=True)
class Recorded:
    method: str
    path: str
    query: str
    tree: Any

    @property
    def body(self) -> bytes:
        return b"" if self.tree is None else json.dumps(self.tree).encode()


def recorded() -> list[Recorded]:
    """All recorded requests, their placeholders as they stand."""
    return [
        Recorded(line["method"], line["path"], _query(line), line["body"])
        for path in FILES
        for line in lines_of(path)
    ]


def _query(line: dict[str, Any]) -> str:
    return line.get("raw_query") or urlencode(line["query"] or {})


class Mutator:
    """An endless supply of inputs.

    Args:
        rng: decides everything.
        seeds: what is mutated.
    """

    def __init__(self, rng: random.Random, seeds: list[Recorded]) -> None:
        self._rng = rng
        self._seeds = seeds
        self._bodies = [seed for seed in seeds if seed.tree is not None]
        self._queries = [seed for seed in seeds if seed.query]
        self._whole: list[Callable[[Any], bytes]] = [
            self._odd_value, self._odd_key, self._doubled_key, self._nested, self._grafted,
            self._repeated,
        ]  # fmt: skip
        self._bytes: list[Callable[[bytes], bytes]] = [
            self._flipped, self._cut, self._spliced, self._inserted,
        ]  # fmt: skip

    def next(self) -> Input:
        """One more."""
        if self._rng.random() < 0.15:
            seed = self._rng.choice(self._queries)
            return Input("GET", seed.path, self._damaged_query(seed.query), b"")
        seed = self._rng.choice(self._bodies)
        body = self._rng.choice(self._whole)(seed.tree)
        while self._rng.random() < 0.4:
            body = self._rng.choice(self._bytes)(body)
        return Input(seed.method, seed.path, seed.query, body)

    def _damaged_query(self, query: str) -> str:
        data = query.encode()
        for _ in range(self._rng.randrange(1, 4)):
            data = self._rng.choice(self._bytes)(data)
        return data.decode("utf-8", "surrogateescape")

    # Bytes.

    def _flipped(self, data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(self._rng.randrange(1, 5)):
            if changed:
                changed[self._rng.randrange(len(changed))] ^= 1 << self._rng.randrange(8)
        return bytes(changed)

    def _cut(self, data: bytes) -> bytes:
        first = self._rng.randrange(len(data) + 1)
        return data[:first] if self._rng.random() < 0.7 else data[first:]

    def _spliced(self, data: bytes) -> bytes:
        other = self._rng.choice(self._bodies).body
        return data[: self._rng.randrange(len(data) + 1)] + other[self._rng.randrange(len(other)) :]

    def _inserted(self, data: bytes) -> bytes:
        at = self._rng.randrange(len(data) + 1)
        rng = self._rng
        odd = rng.choice([rng.choice(WORDS), rng.randbytes(3), b"\xef\xbb\xbf", b"[" * 1_100, b","])
        return data[:at] + odd + data[at:]

    # JSON.

    def _odd_value(self, tree: Any) -> bytes:
        return self._with(tree, self._rng.choice(WORDS))

    def _odd_key(self, tree: Any) -> bytes:
        tree = json.loads(json.dumps(tree))
        holder = self._object_in(tree)
        if holder:
            old = self._rng.choice(list(holder))
            new = self._rng.choice([*KEYS, old.upper(), f"{old}.x"])
            holder[new] = holder.pop(old)
        return json.dumps(tree, ensure_ascii=self._rng.random() < 0.5).encode()

    def _doubled_key(self, tree: Any) -> bytes:
        """The same key twice, which no dict can hold."""
        key = self._rng.choice([*KEYS, *tree]) if isinstance(tree, dict) else "a"
        body = json.dumps(tree).encode()
        first = json.dumps(key).encode() + b":" + self._rng.choice(WORDS)
        return body.replace(b"{", b"{" + first + b",", 1)

    def _nested(self, tree: Any) -> bytes:
        depth = self._rng.choice([2, 5, 30, 33, 200, 1_025])
        opening, closing = self._rng.choice([(b"[", b"]"), (b'{"value":', b"}"), (b'{"":', b"}")])
        return self._with(tree, opening * depth + self._rng.choice(WORDS) + closing * depth)

    def _grafted(self, tree: Any) -> bytes:
        """A branch of another body."""
        other = self._rng.choice(self._bodies).tree
        branches = [json.dumps(branch).encode() for branch in _branches(other)]
        return self._with(tree, self._rng.choice(branches))

    def _repeated(self, tree: Any) -> bytes:
        """A list a hundred times as long."""
        one = self._rng.choice(WORDS)
        return self._with(tree, b"[" + b",".join([one] * self._rng.choice([1, 7, 300])) + b"]")

    def _with(self, tree: Any, odd: bytes) -> bytes:
        """The body of `tree` with `odd` in the place of one of its values."""
        tree = json.loads(json.dumps(tree))
        places = [
            (holder, place)
            for holder in [tree, *_branches(tree)]
            for place in _places(holder)
        ]  # fmt: skip
        if not places:
            return odd
        holder, place = self._rng.choice(places)
        holder[place] = MARK
        return json.dumps(tree).encode().replace(_MARKED, odd)

    def _object_in(self, tree: Any) -> dict[str, Any]:
        found = [one for one in [tree, *_branches(tree)] if isinstance(one, dict)]
        return self._rng.choice(found) if found else {}


def _places(holder: Any) -> list[Any]:
    if isinstance(holder, dict):
        return list(holder)
    return list(range(len(holder))) if isinstance(holder, list) else []


def _branches(tree: Any) -> list[Any]:
    """Every value below `tree`."""
    found = []
    for place in _places(tree):
        found += [tree[place], *_branches(tree[place])]
    return found
