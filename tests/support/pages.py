"""The documentation as data: its pages, their headings' anchors, links, and quoted commands."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
HOW_TOS = sorted((ROOT / "docs" / "how-to").glob("*.md"))
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_OPERATOR = re.compile(r"[|&;<>()]+")
_LEADS = {"until", "while", "if", "then", "do", "exec", "sudo", "!", "--", "$", "relay"}
"""Words after which a command begins; `relay` is the container's name in the guides."""


class Quoted(NamedTuple):
    """A command as a page quotes it: its words after `scim-relay`."""

    words: tuple[str, ...]
    whole: bool
    """It stands in a block to be typed; in running text, what it needs besides may be left out."""


def prose(text):
    """A page without its blocks of code."""
    return _FENCE.sub("", text)


def anchors(text):
    """What a link may name behind `#`, as GitHub makes it of the headings."""
    made = []
    for title in re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title)
        slug = re.sub(r"[^\w\- ]", "", shown.strip().lower()).replace(" ", "-")
        twins = sum(one == slug or re.fullmatch(rf"{slug}-\d+", one) is not None for one in made)
        made.append(f"{slug}-{twins}" if twins else slug)
    return set(made)


def links(text):
    """The targets of links to other files and to headings, pictures included."""
    return re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", prose(text))


def quoted(text, top):
    """Every command that a page quotes; `top` names the commands there are, for short forms."""
    for language, block in _FENCE.findall(text):
        if language in {"sh", "console"}:
            yield from _typed(block.replace("\\\n", " "))
    for code in re.findall(r"`([^`\n]+)`", prose(text)):
        first, *rest = code.split()
        if first == "scim-relay" and rest:
            yield from _alternatives(rest)
        elif first in top and rest:
            yield from _alternatives([first, *rest])


def _typed(block):
    for line in block.splitlines():
        lexer = shlex.shlex(line.replace("$(", " ( "), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer) if "scim-relay" in line else []
        for at, name in enumerate(words):
            before = words[at - 1] if at else "do"
            if (name.split("/")[-1] == "scim-relay" and _leads(before)) or (
                name.startswith("tfe-scim-relay:") and before != "-t"
            ):
                rest = itertools.takewhile(
                    lambda word: not _OPERATOR.fullmatch(word), words[at + 1 :]
                )
                yield Quoted(tuple(rest), whole=True)


def _leads(word):
    return word in _LEADS or "=" in word or _OPERATOR.fullmatch(word)


def _alternatives(words):
    """`token new|hash` stands for two commands, brackets for what may be left out."""
    words = [word.strip("[]") for word in words]
    at = next((at for at, word in enumerate(words) if "|" in word), None)
    for choice in words[at].split("|") if at is not None else [None]:
        chosen = [*words[:at], choice, *words[at + 1 :]] if choice else words
        yield Quoted(tuple(word.strip("\"'") for word in chosen), whole=False)
