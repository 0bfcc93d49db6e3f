"""Filters: what a list request asks for (RFC 7644 section 3.4.2.2).

In charge of meaning: letter case by RFC 7643, what an index can answer (`lookup`), and the
predicate for everything else (`matches`). The grammar is `grammar`'s. An unknown attribute matches
nothing, since the directory has nothing there; a filter that cannot be read is a 400.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from relay.errors import Refused
from relay.rules.attributes import Attribute, Table, Type, find
from relay.rules.grammar import (
    Both,
    Compare,
    Comparison,
    Either,
    GrammarError,
    Node,
    Not,
    Present,
    Within,
    parse_filter,
)
from relay.rules.names import Name, resolve
from relay.rules.types import Json, JsonObject, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_INDEXED: Final[dict[Kind, dict[tuple[str, ...], str]]] = {
    Kind.USER: {
        ("id",): "id",
        ("userName",): "userName",
        ("externalId",): "externalId",
        ("emails",): "emails.value",
        ("emails", "value"): "emails.value",
    },
    Kind.GROUP: {
        ("id",): "id",
        ("displayName",): "displayName",
        ("externalId",): "externalId",
        ("members",): "members.value",
        ("members", "value"): "members.value",
    },
}
_UNKNOWN: Final = Attribute("", "")
_ORDERED: Final = frozenset({Comparison.GT, Comparison.GE, Comparison.LT, Comparison.LE})
_TEXT_RULES: Final[dict[Comparison, Callable[[str, str], bool]]] = {
    Comparison.EQ: operator.eq,
    Comparison.NE: operator.ne,
    Comparison.CO: lambda left, right: right in left,
    Comparison.SW: str.startswith,
    Comparison.EW: str.endswith,
    Comparison.GT: operator.gt,
    Comparison.GE: operator.ge,
    Comparison.LT: operator.lt,
    Comparison.LE: operator.le,
}
_UNORDERED_TYPES: Final = frozenset({Type.BOOLEAN, Type.BINARY})


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter that was understood.

    Attributes:
        kind: of which resources.
        node: its tree.
        lookup: `(key, value)` if an index answers the whole filter, else None. Keys: `id`,
            `userName`, `displayName`, `externalId`, `emails.value`, `members.value`.
        narrowed_by: `(key, value)` that every match must satisfy, so that an index can propose
            what `matches` then decides; equal to `lookup` where that is given.
    """

    kind: Kind
    node: Node
    lookup: tuple[str, str] | None
    narrowed_by: tuple[str, str] | None

    def matches(self, body: JsonObject) -> bool:
        """Whether the resource that an IdP reads as `body` satisfies the filter."""
        return _holds(self.node, body, self.kind)


def parse(kind: Kind, text: str) -> Filter:
    """The filter that `text` asks for.

    Raises:
        Refused: 400 `invalidFilter`, it cannot be read or compares what has no order.
    """
    try:
        node = parse_filter(text)
        _check(node, kind)
    except GrammarError as error:
        raise Refused(400, f"cannot read filter: {error}", "invalidFilter") from error
    lookup = _lookup(node, kind)
    return Filter(kind, node, lookup, lookup or _narrowed(node, kind))


def _lookup(node: Node, kind: Kind) -> tuple[str, str] | None:
    match node:
        case Compare(attribute, Comparison.EQ, value, raw) if value is not None:
            key = _indexed(kind, resolve(kind, attribute))
            return (key, raw) if key is not None else None
        case Within(attribute, inner):
            return _address(kind, attribute, inner)
        case _:
            return None


def _indexed(kind: Kind, name: Name | None) -> str | None:
    return _INDEXED[kind].get(_place(name)) if name is not None else None


def _address(kind: Kind, attribute: str, inner: Node) -> tuple[str, str] | None:
    """`emails[type eq "work"].value eq "x"` asks for an address: TFE keeps only one (Entra)."""
    name = resolve(kind, attribute)
    if name is None or name.path != ("emails",):
        return None
    parts = inner.nodes if isinstance(inner, Both) else (inner,)
    values: list[Compare] = []
    types: list[Compare] = []
    for part in parts:
        if not isinstance(part, Compare) or part.op is not Comparison.EQ:
            return None
        (values if part.attribute.lower() == "value" else types).append(part)
    if len(values) == 1 and all(part.attribute.lower() == "type" for part in types):
        return "emails.value", values[0].raw
    return None


def _narrowed(node: Node, kind: Kind) -> tuple[str, str] | None:
    nodes = node.nodes if isinstance(node, Both) else ()
    return next((found for item in nodes if (found := _lookup(item, kind)) is not None), None)


def _place(name: Name) -> tuple[str, ...]:
    return name.path if name.sub is None else (*name.path, name.sub.name)


def _check(node: Node, kind: Kind) -> None:
    """Booleans and binaries have no order (RFC 7644 table 3), a date must be one."""
    for compare in _compares(node):
        name = resolve(kind, compare.attribute)
        attribute = None if name is None else name.sub or name.attribute
        if attribute is None or compare.op not in _ORDERED:
            continue
        if attribute.type in _UNORDERED_TYPES:
            raise GrammarError(f"{attribute.name} has no order")
        if attribute.type is Type.DATE_TIME and _moment(compare.raw) is None:
            raise GrammarError(f"{attribute.name} is compared with a date and time")


def _compares(node: Node) -> Iterator[Compare]:
    match node:
        case Compare():
            yield node
        case Both(nodes) | Either(nodes):
            for item in nodes:
                yield from _compares(item)
        case Not(inner):
            yield from _compares(inner)
        case _:
            return


def _holds(node: Node, body: JsonObject, kind: Kind) -> bool:
    match node:
        case Both(nodes):
            return all(_holds(item, body, kind) for item in nodes)
        case Either(nodes):
            return any(_holds(item, body, kind) for item in nodes)
        case Not(inner):
            return not _holds(inner, body, kind)
        case Within(attribute, inner):
            return _holds_within(resolve(kind, attribute), inner, body)
        case _:
            return _holds_named(node, resolve(kind, node.attribute), body)


def _holds_named(node: Compare | Present, name: Name | None, body: JsonObject) -> bool:
    if name is None:
        return isinstance(node, Compare) and _holds_for(node, None, [])
    values = list(_values(body, _place(name)))
    return _holds_for(node, name.sub or name.attribute, values)


def _holds_for(node: Compare | Present, attribute: Attribute | None, values: list[Json]) -> bool:
    if isinstance(node, Present):
        return any(_is_given(value) for value in values)
    scalars = [found for value in values for found in _scalars(value)]
    rules = _rules(attribute)
    if node.value is None:
        return (node.op is Comparison.EQ) is not bool(scalars)
    if node.op is Comparison.NE:
        return not any(_compared(Comparison.EQ, item, node.raw, rules) for item in scalars)
    return any(_compared(node.op, item, node.raw, rules) for item in scalars)


def _rules(attribute: Attribute | None) -> Attribute:
    """What says how to compare: a complex attribute is compared by its `value`."""
    if attribute is None:
        return _UNKNOWN
    return attribute.index.get("value", attribute) if attribute.index is not None else attribute


def _holds_within(name: Name | None, inner: Node, body: JsonObject) -> bool:
    if name is None or name.attribute is None or name.attribute.index is None:
        return False
    table = name.attribute.index
    found = (item for value in _values(body, name.path) for item in _each(value))
    return any(isinstance(item, dict) and _element_holds(inner, item, table) for item in found)


def _element_holds(node: Node, element: JsonObject, table: Table) -> bool:
    match node:
        case Both(nodes):
            return all(_element_holds(item, element, table) for item in nodes)
        case Either(nodes):
            return any(_element_holds(item, element, table) for item in nodes)
        case Not(inner):
            return not _element_holds(inner, element, table)
        case Within():
            return False
        case _:
            sub = find(table, node.attribute)
            values = [] if sub is None or sub.name not in element else [element[sub.name]]
            return _holds_for(node, sub, values)


def _each(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def _values(value: Json, place: tuple[str, ...]) -> Iterator[Json]:
    if not place:
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _values(item, place)
    elif isinstance(value, dict) and place[0] in value:
        yield from _values(value[place[0]], place[1:])


def _scalars(value: Json) -> Iterator[Json]:
    for item in _each(value):
        found = item.get("value") if isinstance(item, dict) else item
        if found is not None and not isinstance(found, (dict, list)):
            yield found


def _is_given(value: Json) -> bool:
    """`pr`: has a non-empty value (RFC 7644 table 3)."""
    return value is not None and value not in ("", [], {})


def _compared(op: Comparison, found: Json, wanted: str, rules: Attribute) -> bool:
    text = str(found)
    if rules.type is Type.DATE_TIME:
        return _moments_compared(op, text, wanted)
    if rules.case_exact:
        return _TEXT_RULES[op](text, wanted)
    return _TEXT_RULES[op](text.casefold(), wanted.casefold())


def _moments_compared(op: Comparison, left: str, right: str) -> bool:
    first, second = _moment(left), _moment(right)
    if first is None or second is None:
        return _TEXT_RULES[op](left, right)
    # Text in one zone and one precision sorts as time does.
    return _TEXT_RULES[op](first, second)


def _moment(text: str) -> str | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (
        (moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        .astimezone(UTC)
        .isoformat(timespec="microseconds")
    )
