"""A write in the making: the one place where attribute edits, rosters and omissions are collected.

What TFE keeps must be readable or the request is refused; everything else is kept if it can be
read and dropped if not (`idp-dialects.md` section 2, rule 3). Forms U1 to U25, G13 to G18.
"""

from __future__ import annotations

import re
from typing import Final, NoReturn

from relay.errors import Refused
from relay.rules.attributes import ENTERPRISE_TABLE, find
from relay.rules.dialect.members import Roster, member_ids
from relay.rules.dialect.values import Misfit, normalise, normalise_object, scalar
from relay.rules.names import Name, resolve
from relay.rules.types import (
    AttributeEdit,
    EditOp,
    Field,
    Json,
    JsonObject,
    Kind,
    MemberOp,
    Verb,
    Write,
)

# Written by the relay alone (RFC 7643 sections 3.1, 4.1.2); Okta, authentik, ConnId echo them.
READ_ONLY: Final = frozenset({"id", "meta", "schemas", "groups"})
KEPT: Final[dict[Kind, dict[str, Field]]] = {
    Kind.USER: {
        "userName": Field.NAME,
        "externalId": Field.EXTERNAL_ID,
        "active": Field.ACTIVE,
        "emails": Field.EMAIL,
    },
    Kind.GROUP: {"displayName": Field.NAME, "externalId": Field.EXTERNAL_ID},
}
_UNSAFE: Final = re.compile(r"[^\w$.:-]")
_LABEL_LENGTH: Final = 80
_MOST_DROPPED: Final = 50
# Bounds on the time one request takes. Okta's 1,000 removals are 70,000 characters of paths.
MAX_EDITS: Final = 2_000
MAX_PATH_CHARACTERS: Final = 1_000_000

_MEMBER_OPS: Final = {EditOp.SET: MemberOp.REPLACE, EditOp.ADD: MemberOp.ADD}


class Draft:
    """Collects what one request says.

    Attributes:
        kind: of which resource.
        roster: the steps on a group's members.
    """

    __slots__ = ("_dropped", "_edits", "_path_characters", "_written", "kind", "roster")

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.roster = Roster()
        self._edits: list[AttributeEdit] = []
        self._written: set[Field] = set()
        self._dropped: list[str] = []
        self._path_characters = 0

    def write(self, verb: Verb) -> Write:
        """What was collected, as a value."""
        return Write(
            verb,
            self.kind,
            tuple(self._edits),
            self.roster.edits(),
            frozenset(self._written),
            tuple(self._dropped),
        )

    @property
    def names_itself(self) -> bool:
        """Whether the attribute that names the resource was given."""
        return Field.NAME in self._written

    def drop(self, attribute: str) -> None:
        """Note an attribute that goes nowhere: its name only, never a filter or a value (A5)."""
        if len(self._dropped) < _MOST_DROPPED:
            name = _UNSAFE.sub("?", attribute.partition("[")[0][:_LABEL_LENGTH])
            self._dropped.append(name)

    def spend(self, path: str) -> None:
        """Count a path that is about to be read.

        Raises:
            Refused: 400, all paths of the request together are too long.
        """
        self._path_characters += len(path)
        if self._path_characters > MAX_PATH_CHARACTERS:
            refuse_value("Operations", f"paths longer than {MAX_PATH_CHARACTERS} characters in all")

    def edit(self, edit: AttributeEdit) -> None:
        """One more step; keeps the book of TFE's own fields it writes.

        Clearing what a resource cannot be without (`userName`, a group's `displayName`) is ignored,
        as TFE ignores it. Clearing `active` or `emails` is seen in the shadow only (U8; RFC 7644
        section 3.5.2.2: unassigned), clearing `externalId` is real (U14).

        Raises:
            Refused: 400, more than `MAX_EDITS` steps.
        """
        if len(self._edits) >= MAX_EDITS:
            refuse_value(edit.path[0], f"more than {MAX_EDITS} changes in one request")
        field = KEPT[self.kind].get(edit.path[0])
        if edit.op is EditOp.REMOVE:
            if field is Field.NAME:
                self.drop(edit.path[0])
                return
            if field is Field.EXTERNAL_ID:
                self._written.add(field)
        elif field is not None and (field is not Field.EMAIL or _has_address(edit)):
            self._written.add(field)
        self._edits.append(edit)

    def put(self, op: EditOp, key: str, value: Json, *, clears: bool) -> None:
        """One key of an object: a plain, dotted or URN-prefixed attribute name (U18, U19).

        `clears`: null and empty values take the attribute away; else they count as not given.
        """
        name = resolve(self.kind, key)
        if name is None:
            self.drop(key)
        else:
            self.put_name(op, name, value, clears=clears)

    def put_name(self, op: EditOp, name: Name, value: Json, *, clears: bool) -> None:
        """A value for an attribute that was recognised."""
        if name.path[0] in READ_ONLY:
            self.drop(name.path[0])
        elif name.path[0] == "members":
            self._put_members(op, name, value)
        else:
            self._put_value(op, name, value, clears=clears)

    def _put_members(self, op: EditOp, name: Name, value: Json) -> None:
        # `members: null` in an object is a serialiser's "nothing to say", never an emptying.
        if value is None or (name.sub is not None and name.sub.name != "value"):
            return
        self.roster.step(_MEMBER_OPS[op], member_ids(value))

    def _put_value(self, op: EditOp, name: Name, value: Json, *, clears: bool) -> None:
        try:
            kept = _read(name, value)
        except Misfit as misfit:
            self.misfit(name.path[0], misfit)
            return
        edit = AttributeEdit(op, *_place(name, kept))
        if kept is None or (kept == [] and (clears or op is EditOp.ADD)):
            if clears:
                self.edit(AttributeEdit(EditOp.REMOVE, edit.path, sub=edit.sub))
        else:
            self.edit(edit)
        if clears and name.sub is None and isinstance(value, dict):
            self._clear_parts(name, value)

    def _clear_parts(self, name: Name, value: JsonObject) -> None:
        """`{"manager": null}` inside a complex value takes that part away."""
        table = ENTERPRISE_TABLE if name.attribute is None else name.attribute.index
        if table is None or (name.attribute is not None and name.attribute.multi):
            return
        for key, item in value.items():
            part = find(table, key) if item is None else None
            if part is not None:
                self.edit(AttributeEdit(EditOp.REMOVE, (*name.path, part.name)))

    def misfit(self, attribute: str, misfit: Misfit) -> None:
        """A value without a reading: refused if TFE keeps the attribute, else dropped."""
        if attribute in KEPT[self.kind] or attribute == "members":
            refuse_value(attribute, str(misfit))
        self.drop(attribute)


def refuse_value(attribute: str, reason: str) -> NoReturn:
    """The 400 for a value that TFE would have to keep and that means nothing."""
    raise Refused(400, f"cannot read {attribute}: {reason}", "invalidValue")


def _read(name: Name, value: Json) -> Json:
    if name.attribute is None:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise Misfit("an object was expected")
        return normalise_object(ENTERPRISE_TABLE, value) or None
    return scalar(name.sub, value) if name.sub is not None else normalise(name.attribute, value)


def _place(
    name: Name, value: Json
) -> tuple[tuple[str, ...], Json, tuple[tuple[str, str], ...], str | None]:
    """`path, value, where, sub` of an edit: behind an array a sub-attribute stands apart."""
    if name.sub is None:
        return name.path, value, (), None
    if name.attribute is not None and name.attribute.multi:
        return name.path, value, (), name.sub.name
    return (*name.path, name.sub.name), value, (), None


def _has_address(edit: AttributeEdit) -> bool:
    if edit.sub is not None:
        return edit.sub == "value"
    found = edit.value if isinstance(edit.value, list) else [edit.value]
    return any(isinstance(item, dict) and item.get("value") for item in found)
