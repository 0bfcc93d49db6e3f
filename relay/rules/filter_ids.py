"""Ids in filters: every id ever given out is good there, and a body shows only the public one.

A resource has more than one id for ever (semantics A2), so a filter's ids are put into the form
that bodies have before it is compared with them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from relay.rules.grammar import Both, Compare, Either, Node, Not, Within
from relay.rules.names import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from relay.rules.filters import Filter
    from relay.rules.types import Kind

_HOLDERS: Final = frozenset({("members",), ("groups",)})


def ids_of(parsed: Filter) -> frozenset[str]:
    """The ids that a filter names."""
    found: set[str] = set()

    def note(identifier: str) -> str:
        found.add(identifier)
        return identifier

    _mapped(parsed.node, parsed.kind, note)
    return frozenset(found)


def with_public_ids(parsed: Filter, public: Mapping[str, str]) -> Filter:
    """The same filter with public ids in the place of their aliases."""
    return replace(
        parsed, node=_mapped(parsed.node, parsed.kind, lambda known: public.get(known, known))
    )


def _mapped(node: Node, kind: Kind, to: Callable[[str], str], within: str = "") -> Node:
    match node:
        case Compare(attribute, _, str(), raw) if _holds_id(kind, attribute, within):
            identifier = to(raw)
            return replace(node, value=identifier, raw=identifier)
        case Not(inner):
            return Not(_mapped(inner, kind, to, within))
        case Both(nodes):
            return Both(tuple(_mapped(each, kind, to, within) for each in nodes))
        case Either(nodes):
            return Either(tuple(_mapped(each, kind, to, within) for each in nodes))
        case Within(attribute, inner):
            return Within(attribute, _mapped(inner, kind, to, attribute))
        case _:
            return node


def _holds_id(kind: Kind, attribute: str, within: str) -> bool:
    name = resolve(kind, f"{within}.{attribute}" if within else attribute)
    if name is None:
        return False
    return name.path[-1:] == ("id",) or (
        name.path in _HOLDERS and (name.sub is None or name.sub.name == "value")
    )
