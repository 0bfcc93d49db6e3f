"""The nouns that all rules share.

A `Write` is one accepted request of an identity provider in normal form: what remains of it once
its dialect is understood. `Fields` is the part of a resource that TFE keeps; everything else an
IdP writes lives in the resource's *shadow* only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
JsonObject: TypeAlias = dict[str, Json]


class Kind(StrEnum):
    """The two resource types of TFE's SCIM surface (RFC 7643 section 4)."""

    USER = "User"
    GROUP = "Group"

    @property
    def plural(self) -> str:
        """The endpoint's path segment, `Users` or `Groups`."""
        return f"{self.value}s"

    @property
    def name_attribute(self) -> str:
        """The attribute that is unique in TFE without regard to case."""
        return "userName" if self is Kind.USER else "displayName"


class Verb(StrEnum):
    """What a write does to its resource."""

    CREATE = "create"
    REPLACE = "replace"
    PATCH = "patch"
    DELETE = "delete"


class Field(StrEnum):
    """The attributes TFE keeps, by the name of `Fields`' members.

    The values are also the keys of effects (see `relay.rules.effects`).
    """

    NAME = "name"
    EXTERNAL_ID = "external_id"
    ACTIVE = "active"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Fields:
    """What TFE keeps of a resource, rosters apart.

    Attributes:
        name: `userName` of a user, `displayName` of a group.
        external_id: `externalId`, or None.
        active: a user's `active`; None for a group.
        email: a user's one address; None for a group.
    """

    name: str
    external_id: str | None = None
    active: bool | None = None
    email: str | None = None


class MemberOp(StrEnum):
    """What is done to a roster."""

    ADD = "add"
    REMOVE = "remove"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class MemberEdit:
    """One step on a group's roster; `ids` are the IdP's, in its order, without repetition."""

    op: MemberOp
    ids: tuple[str, ...]


class EditOp(StrEnum):
    """What is done to an attribute."""

    SET = "set"
    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class AttributeEdit:
    """One step on the shadow, in normal form.

    Attributes:
        op: `SET` puts the value there, `ADD` appends to an array or sets a scalar (RFC 7644
            section 3.5.2.1), `REMOVE` takes it away.
        path: attribute names with their canonical spelling: `("name", "givenName")`, or an
            extension's URN first. A value filter stands in `where`.
        value: the new value; None for `REMOVE`.
        where: `(sub-attribute, value)` pairs that select elements of a multi-valued attribute,
            such as `(("type", "work"),)` of `emails[type eq "work"].value`; empty for none.
        sub: the sub-attribute behind the filter (`value`), or None.
    """

    op: EditOp
    path: tuple[str, ...]
    value: Json = None
    where: tuple[tuple[str, str], ...] = ()
    sub: str | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """One request of an identity provider in normal form.

    Attributes:
        verb: what it does.
        kind: of which resource.
        edits: steps on the shadow, in order. For CREATE and REPLACE the body's attributes as
            `SET` steps; a REPLACE also empties what it does not name, TFE's own fields apart.
        members: steps on the roster, in order; empty for users.
        written: which of TFE's fields the request names itself, changed or not: an explicit
            `active: false` is a revocation even if nothing differs (semantics K3).
        dropped: attribute paths that were understood and left out of everything (`password`,
            read-only ones), for the log.
    """

    verb: Verb
    kind: Kind
    edits: tuple[AttributeEdit, ...] = ()
    members: tuple[MemberEdit, ...] = ()
    written: frozenset[Field] = frozenset()
    dropped: tuple[str, ...] = ()

    @property
    def may_revoke(self) -> bool:
        """Whether it may take access away: a DELETE, a word on `active`, members who leave."""
        leaves = any(edit.op is not MemberOp.ADD for edit in self.members)
        is_edit = self.verb in (Verb.PATCH, Verb.REPLACE)
        return self.verb is Verb.DELETE or (is_edit and (leaves or Field.ACTIVE in self.written))
