"""The grammar of filters and PATCH paths (RFC 7644 figures 1 and 7), written tolerantly.

In charge of text to syntax tree, nothing about meaning. Tolerated beyond the RFC because senders
do it: operators in any letter case (`Eq`, Ping), values without quotes (`userName eq bob@x`, older
authentik and Okta's suite), any amount of blanks, `emails[type eq "work"].value eq "x"` (Entra).
Bounded: text longer than `MAX_LENGTH` or nested deeper than `MAX_DEPTH` is refused, and each
character is looked at a fixed number of times, so a hostile filter costs what an honest one costs.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

MAX_LENGTH: Final = 2_048
MAX_DEPTH: Final = 16


class GrammarError(ValueError):
    """The text is not a filter or a path; the message says where."""


class Comparison(StrEnum):
    """Operators of RFC 7644 table 3."""

    EQ = "eq"
    NE = "ne"
    CO = "co"
    SW = "sw"
    EW = "ew"
    GT = "gt"
    GE = "ge"
    LT = "lt"
    LE = "le"


@dataclass(frozen=True, slots=True)
class Compare:
    """`attribute op value`; `raw` is the value as text, since an IdP may leave quotes out."""

    attribute: str
    op: Comparison
    value: str | float | bool | None
    raw: str


@dataclass(frozen=True, slots=True)
class Present:
    """`attribute pr`."""

    attribute: str


@dataclass(frozen=True, slots=True)
class Not:
    """`not (node)`."""

    node: Node


@dataclass(frozen=True, slots=True)
class Both:
    """Nodes joined by `and`."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Nodes joined by `or`."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """`attribute[node]`: one element of a multi-valued attribute satisfies `node`."""

    attribute: str
    node: Node


Node: TypeAlias = Compare | Present | Not | Both | Either | Within


@dataclass(frozen=True, slots=True)
class PathText:
    """A PATCH path taken apart: `attribute[where].sub`."""

    attribute: str
    where: Node | None
    sub: str | None


_TOKEN: Final = re.compile(
    r"""[ \t\r\n]*(?:
      (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<punctuation>[()\[\]])
    | (?P<word>[^\s()\[\]"]+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ATTRIBUTE: Final = re.compile(r"(?:[Uu][Rr][Nn]:[^\s()\[\]\"]+:)?[$A-Za-z][\w$.-]*\Z")
_NUMBER: Final = re.compile(r"-?\d{1,18}(?:\.\d{1,18})?\Z")
_HALF: Final = re.compile("[\ud800-\udfff]")
_OPERATORS: Final = {str(op): op for op in Comparison}
_WORD_VALUES: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}


def parse_filter(text: str) -> Node:
    """The tree of a filter (RFC 7644 section 3.4.2.2).

    Raises:
        GrammarError: `text` is none, is too long or nests too deep.
    """
    reader = _Reader(text)
    node = reader.read_or(0)
    reader.expect_end()
    return node


def parse_path(text: str) -> PathText:
    """The parts of a PATCH path (RFC 7644 section 3.5.2).

    Raises:
        GrammarError: `text` is none, is too long or nests too deep.
    """
    text = text.strip()
    if "[" not in text:
        if len(text) > MAX_LENGTH or not _ATTRIBUTE.match(text):
            raise GrammarError("not an attribute path")
        return PathText(text, None, None)
    reader = _Reader(text)
    attribute = reader.read_attribute()
    where = reader.read_brackets(0)
    sub = reader.read_sub()
    reader.expect_end()
    return PathText(attribute, where, sub)


class _Reader:
    """A recursive-descent reader over the tokens of one text."""

    __slots__ = ("_at", "_tokens")

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise GrammarError(f"longer than {MAX_LENGTH} characters")
        self._tokens = _tokens(text)
        self._at = 0

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise self._error(f"expected {token}")

    def _error(self, expected: str, before: int = 0) -> GrammarError:
        # Says where, never what: a path's filter may hold a secret (A5).
        return GrammarError(f"{expected} at word {self._at + before}")

    def expect_end(self) -> None:
        """Raises GrammarError if anything is left."""
        if self._peek():
            raise self._error("expected the end", before=1)

    def read_or(self, depth: int) -> Node:
        """`and` binds closer than `or` (RFC 7644 table 5)."""
        if depth > MAX_DEPTH:
            raise GrammarError(f"nested deeper than {MAX_DEPTH}")
        nodes = [self._read_and(depth)]
        while self._peek().lower() == "or":
            self._at += 1
            nodes.append(self._read_and(depth))
        return nodes[0] if len(nodes) == 1 else Either(tuple(nodes))

    def _read_and(self, depth: int) -> Node:
        nodes = [self._read_term(depth)]
        while self._peek().lower() == "and":
            self._at += 1
            nodes.append(self._read_term(depth))
        return nodes[0] if len(nodes) == 1 else Both(tuple(nodes))

    def _read_term(self, depth: int) -> Node:
        token = self._peek()
        if token.startswith("("):
            return self._read_group(depth)
        following = self._tokens[self._at + 1 : self._at + 2]
        if token.lower() == "not" and following == ["("]:
            self._at += 1
            return Not(self._read_group(depth))
        return self._read_expression(depth)

    def _read_group(self, depth: int) -> Node:
        self._expect("(")
        node = self.read_or(depth + 1)
        self._expect(")")
        return node

    def read_attribute(self) -> str:
        """An attribute's name as it stands there."""
        token = self._next()
        if not _ATTRIBUTE.match(token):
            raise self._error("expected an attribute")
        return token

    def read_brackets(self, depth: int) -> Node:
        """`[valFilter]`."""
        self._expect("[")
        node = self.read_or(depth + 1)
        self._expect("]")
        return node

    def read_sub(self) -> str | None:
        """`.sub` behind brackets, or None."""
        if not self._peek().startswith("."):
            return None
        name = self._next()[1:]
        if "." in name or not _ATTRIBUTE.match(name):
            raise GrammarError("expected a sub-attribute behind ]")
        return name

    def _read_expression(self, depth: int) -> Node:
        attribute = self.read_attribute()
        if self._peek() != "[":
            return self._read_comparison(attribute)
        where = self.read_brackets(depth)
        sub = self.read_sub()
        if sub is None:
            return Within(attribute, where)
        return Within(attribute, Both((where, self._read_comparison(sub))))

    def _read_comparison(self, attribute: str) -> Node:
        op = self._next().lower()
        if op == "pr":
            return Present(attribute)
        comparison = _OPERATORS.get(op)
        if comparison is None:
            raise self._error("expected an operator")
        value, raw = _literal(self._next())
        return Compare(attribute, comparison, value, raw)


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    text = text.strip()
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise GrammarError(f"cannot be read from character {at + 1}")
        found.append(match[match.lastgroup or 0])
        at = match.end()
    return found


def _literal(token: str) -> tuple[str | float | bool | None, str]:
    if token in {"", "(", ")", "[", "]"}:
        raise GrammarError("a value is missing")
    if token.startswith('"'):
        token = _unquoted(token)
        return _of_characters(token), token
    if token.lower() in _WORD_VALUES:
        return _WORD_VALUES[token.lower()], token
    if _NUMBER.match(token):
        return float(token), token
    return token, token


def _unquoted(token: str) -> str:
    try:
        text = json.loads(token, strict=False)
    except ValueError:
        # A back-slash that JSON does not know (`DOMAIN\user`) stands for itself.
        return token[1:-1].replace('\\"', '"')
    return str(text)


def _of_characters(text: str) -> str:
    """`text`, unless an escape made half a character of it: nothing could store or send that."""
    if _HALF.search(text):
        raise GrammarError("a value holds a lone surrogate")
    return text
