"""Value filters of PATCH paths, reduced to the elements they name.

`members[value eq "a" or value eq "b"]` (G6, G8) and `emails[type eq "work" and value eq "x"]`
(U11) are alternatives of equalities; that is all any sender writes there. Anything else has no
reading: guessing could remove the wrong members.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from relay.rules.attributes import Attribute, find
from relay.rules.dialect.values import Misfit
from relay.rules.grammar import Both, Compare, Comparison, Either, Node

Selector: TypeAlias = tuple[tuple[str, str], ...]

_MOST_SELECTORS: Final = 200


def selectors(attribute: Attribute, node: Node) -> tuple[Selector, ...]:
    """The alternatives of `node`; each is a set of equalities that hold together.

    Raises:
        Misfit: `node` is more than that, or names an unknown sub-attribute.
    """
    match node:
        case Compare(op=Comparison.EQ):
            return ((_equality(attribute, node),),)
        case Either(nodes):
            return tuple(found for item in nodes for found in selectors(attribute, item))
        case Both(nodes):
            return _product(tuple(selectors(attribute, item) for item in nodes))
        case _:
            raise Misfit("only eq, and, or are understood in a path's filter")


def _equality(attribute: Attribute, node: Compare) -> tuple[str, str]:
    sub = find(attribute.index, node.attribute) if attribute.index is not None else None
    if sub is None:
        raise Misfit("the path's filter names an unknown sub-attribute")
    return sub.name, node.raw


def _product(factors: tuple[tuple[Selector, ...], ...]) -> tuple[Selector, ...]:
    result: tuple[Selector, ...] = ((),)
    for alternatives in factors:
        if len(result) * len(alternatives) > _MOST_SELECTORS:
            raise Misfit("the path's filter has too many alternatives")
        result = tuple((*left, *right) for left in result for right in alternatives)
    return result


def selected_ids(found: tuple[Selector, ...]) -> tuple[str, ...]:
    """The ids that selectors on `members` name.

    Raises:
        Misfit: one names no id, two ids, or more than the id and `type eq "User"`.
    """
    return tuple(map(_selected_id, found))


def _selected_id(selector: Selector) -> str:
    ids = {value for name, value in selector if name == "value"}
    others = {(name, value.lower()) for name, value in selector if name != "value"}
    if len(ids) != 1 or "" in ids or others - {("type", "user")}:
        raise Misfit('members are named by [value eq "id"]')
    return ids.pop()
