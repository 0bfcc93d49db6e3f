"""Canonical attribute names and schema URNs, however an IdP spells them.

In charge of turning `USERNAME`, `name.givenname`, `urn:scim:schemas:core:1.0:userName`,
`manager` or `urn:...:enterprise:2.0:User:department` into the attributes of `attributes`.
Forms: U12, U16, U17, U18; RFC 7644 section 3.10 (attribute notation); `idp-dialects.md` section 4
(old schema URNs).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from relay.rules.attributes import (
    ENTERPRISE_TABLE,
    GROUP_TABLE,
    USER_TABLE,
    Attribute,
    Table,
    find,
)
from relay.rules.contract import ENTERPRISE_SCHEMA, GROUP_SCHEMA, USER_SCHEMA
from relay.rules.types import Kind

_TABLES: Final[dict[Kind, Table]] = {Kind.USER: USER_TABLE, Kind.GROUP: GROUP_TABLE}

# Lower case. The old ones come from OneLogin's templates and SCIM 1.1, Microsoft's from Entra.
_CORE_URNS: Final = frozenset(
    {
        USER_SCHEMA.lower(),
        GROUP_SCHEMA.lower(),
        "urn:ietf:params:scim:schemas:core:2.0",
        "urn:scim:schemas:core:1.0",
        "urn:scim:schemas:core:2.0",
        "urn:scim:schemas:core:2.0:user",
        "urn:scim:schemas:core:2.0:group",
    }
)
_ENTERPRISE_URNS: Final = frozenset(
    {
        ENTERPRISE_SCHEMA.lower(),
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0",
        "urn:scim:schemas:extension:enterprise:1.0",
        "urn:scim:schemas:extension:enterprise:1.0:user",
        "urn:scim:schemas:extension:enterprise:2.0",
        "urn:scim:schemas:extension:enterprise:2.0:user",
    }
)


@dataclass(frozen=True, slots=True)
class Name:
    """An attribute that was recognised.

    Attributes:
        path: where it stands in a resource, an extension's URN first.
        attribute: what it is; None for the enterprise extension as a whole.
        sub: the sub-attribute that was named, or None.
    """

    path: tuple[str, ...]
    attribute: Attribute | None
    sub: Attribute | None = None


_ENTERPRISE: Final = Name((ENTERPRISE_SCHEMA,), None)
_PLAIN: Final[dict[Kind, dict[str, Name]]] = {
    kind: {key: Name((item.name,), item) for key, item in table.items()}
    for kind, table in _TABLES.items()
}


def resolve(kind: Kind, text: str) -> Name | None:
    """What the attribute notation `text` names in a resource of `kind`; None if unknown.

    `text` may be in any letter case, dotted, and prefixed with a current or an old URN. A name of
    the enterprise extension is found without its URN too (`manager`, form U17).
    """
    return _PLAIN[kind].get(text) or _resolve_notation(kind, text)


def _resolve_notation(kind: Kind, text: str) -> Name | None:
    if text[:4].lower() == "urn:":
        return _resolve_urn(kind, text)
    return _resolve_core(kind, text) or (_resolve_enterprise(text) if kind is Kind.USER else None)


def _resolve_urn(kind: Kind, text: str) -> Name | None:
    if is_enterprise(text):
        return _ENTERPRISE if kind is Kind.USER else None
    urn, _, rest = text.rpartition(":")
    if is_enterprise(urn):
        return _resolve_enterprise(rest) if kind is Kind.USER else None
    return _resolve_core(kind, rest) if urn.lower() in _CORE_URNS else None


def _resolve_core(kind: Kind, text: str) -> Name | None:
    return _dotted(_TABLES[kind], (), text)


def _resolve_enterprise(text: str) -> Name | None:
    return _dotted(ENTERPRISE_TABLE, (ENTERPRISE_SCHEMA,), text)


def _dotted(table: Table, prefix: tuple[str, ...], text: str) -> Name | None:
    head, dot, tail = text.partition(".")
    attribute = find(table, head)
    if attribute is None:
        return None
    if not dot:
        return Name((*prefix, attribute.name), attribute)
    sub = find(attribute.index, tail) if attribute.index is not None else None
    return Name((*prefix, attribute.name), attribute, sub) if sub is not None else None


def is_enterprise(urn: str) -> bool:
    """Whether `urn` is the enterprise extension's, in any version and letter case."""
    return urn.lower() in _ENTERPRISE_URNS


def schema_of(kind: Kind) -> str:
    """The URN of the core schema of `kind`."""
    return USER_SCHEMA if kind is Kind.USER else GROUP_SCHEMA
