"""PATCH: operations in any dialect, in the order they were written.

RFC 7644 section 3.5.2 and everything senders make of it (`idp-dialects.md` section 3).
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from relay.errors import Refused
from relay.rules.attributes import MEMBERS, Attribute, find
from relay.rules.dialect.bodies import object_of
from relay.rules.dialect.draft import READ_ONLY, Draft, refuse_value
from relay.rules.dialect.members import member_ids
from relay.rules.dialect.selectors import selected_ids, selectors
from relay.rules.dialect.values import Misfit, normalise, scalar, single, unwrapped
from relay.rules.grammar import GrammarError, PathText, parse_path
from relay.rules.names import Name, resolve
from relay.rules.types import AttributeEdit, EditOp, Json, JsonObject, Kind, MemberOp, Verb, Write


class _Absent(Enum):
    """A key that is not there, as against one that is null."""

    ABSENT = "absent"


# Ten times what was ever seen (forms G23 and U25); bounds the time that one request takes.
MAX_OPERATIONS: Final = {Kind.USER: 1_000, Kind.GROUP: 10_000}
ABSENT: Final = _Absent.ABSENT
_OPS: Final = {"add": EditOp.ADD, "replace": EditOp.SET, "remove": EditOp.REMOVE}


def parse_patch(kind: Kind, body: Json) -> Write:
    """A PATCH in normal form; nothing may be left of it (U15 to U17, U20).

    Raises:
        Refused: 400, it is no PatchOp message, or what TFE keeps cannot be read from it.
    """
    operations = _member(object_of(body, "the body"), "Operations")
    if isinstance(operations, dict):
        operations = [operations]
    if not isinstance(operations, list) or not operations:
        raise Refused(400, "cannot read Operations: a list was expected", "invalidSyntax")
    if len(operations) > MAX_OPERATIONS[kind]:
        most = MAX_OPERATIONS[kind]
        raise Refused(400, f"cannot read Operations: more than {most}", "invalidValue")
    draft = Draft(kind)
    for operation in operations:
        _read_operation(draft, object_of(operation, "an operation"))
    return draft.write(Verb.PATCH)


def _member(body: JsonObject, name: str) -> Json | _Absent:
    """The value of a key in any letter case (U24)."""
    if name in body:
        return body[name]
    wanted = name.lower()
    return next((item for key, item in body.items() if key.lower() == wanted), ABSENT)


def _read_operation(draft: Draft, operation: JsonObject) -> None:
    verb = _member(operation, "op")
    op = _OPS.get(verb.strip().lower()) if isinstance(verb, str) else None
    if op is None:
        raise Refused(400, "cannot read op: add, remove or replace was expected", "invalidSyntax")
    path = _member(operation, "path")
    value = _member(operation, "value")
    if path is ABSENT or path is None or path == "":
        _without_path(draft, op, None if value is ABSENT else value)
    elif isinstance(path, str):
        _with_path(draft, op, path, value)
    else:
        raise Refused(400, "cannot read path: text was expected", "invalidPath")


def _without_path(draft: Draft, op: EditOp, value: Json) -> None:
    """Attributes as keys of an object (U3, U18, G13 to G19)."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if op is EditOp.REMOVE:
        _remove_without_path(draft, value)
        return
    if not isinstance(value, dict):
        raise Refused(
            400, "cannot read value: without a path an object was expected", "invalidValue"
        )
    for key, item in value.items():
        if "[" in key:
            _with_path(draft, op, key, item)
        else:
            draft.put(op, key, item, clears=op is EditOp.SET)


def _remove_without_path(draft: Draft, value: Json) -> None:
    """TFE ignores it on users; on groups only a list of members has a safe meaning (G5)."""
    if draft.kind is Kind.USER:
        draft.drop("remove")
        return
    members = _member(value, "members") if isinstance(value, dict) else ABSENT
    if members is ABSENT:
        raise Refused(400, "cannot remove: a path was expected", "noTarget")
    draft.roster.step(MemberOp.REMOVE, member_ids(members))


def _with_path(draft: Draft, op: EditOp, text: str, value: Json | _Absent) -> None:
    draft.spend(text)
    try:
        path = parse_path(text)
    except GrammarError as error:
        raise Refused(400, f"cannot read path: {error}", "invalidPath") from error
    name = resolve(draft.kind, path.attribute)
    if name is None:
        draft.drop(path.attribute)
    elif name.path[0] in READ_ONLY:
        _read_only(draft, name)
    elif name.path[0] == "members":
        _members(draft, op, name, path, value)
    elif path.where is not None:
        _selected(draft, op, name, path, value)
    elif op is EditOp.REMOVE:
        _remove(draft, name, None if value is ABSENT else value)
    elif value is ABSENT:
        draft.misfit(name.path[0], Misfit("the operation has no value"))
    else:
        draft.put_name(op, name, value, clears=op is EditOp.SET)


def _read_only(draft: Draft, name: Name) -> None:
    """Memberships are never written through the user (section 10, SailPoint and ConnId).

    Success would tell the IdP that access was given or taken when it was not.
    """
    if name.path[0] == "groups":
        raise Refused(
            400,
            "cannot change groups of a user: they are read-only (RFC 7643 section 4.1.2); "
            "change members of the group",
            "mutability",
        )
    draft.drop(name.path[0])


def _members(draft: Draft, op: EditOp, name: Name, path: PathText, value: Json | _Absent) -> None:
    sub = name.sub.name if name.sub is not None else path.sub
    if sub is not None and sub.lower() != "value":
        draft.drop(f"members.{sub}")
    elif path.where is not None:
        _selected_members(draft, op, path, value)
    elif op is EditOp.REMOVE:
        _remove_members(draft, value, bare=sub is None)
    elif value is ABSENT:
        refuse_value("members", "the operation has no value")
    elif op is EditOp.ADD:
        draft.roster.step(MemberOp.ADD, member_ids(value))
    else:
        draft.roster.step(MemberOp.REPLACE, member_ids(value))


def _remove_members(draft: Draft, value: Json | _Absent, *, bare: bool) -> None:
    """G5 names members, G9 names none and empties the group."""
    if value is not ABSENT and value is not None:
        draft.roster.step(MemberOp.REMOVE, member_ids(value))
    elif bare:
        draft.roster.step(MemberOp.REPLACE, ())
    else:
        refuse_value("members", "the operation names no member")


def _selected_members(draft: Draft, op: EditOp, path: PathText, value: Json | _Absent) -> None:
    """G6, G7, G8 and G25; a replacement takes the named ones out and the given ones in."""
    assert path.where is not None
    try:
        ids = selected_ids(selectors(MEMBERS, path.where))
    except Misfit as misfit:
        raise Refused(400, f"cannot read path: {misfit}", "invalidFilter") from misfit
    if op is EditOp.ADD:
        draft.roster.step(MemberOp.ADD, ids)
        return
    draft.roster.step(MemberOp.REMOVE, ids)
    if op is EditOp.SET and value is not ABSENT:
        draft.roster.step(MemberOp.ADD, member_ids(value))


def _remove(draft: Draft, name: Name, value: Json) -> None:
    """An attribute, or those elements of an array that a value names (as G5 does for members)."""
    attribute = name.attribute
    if attribute is not None and attribute.multi and name.sub is None and value is not None:
        _remove_elements(draft, attribute, value)
    elif attribute is not None and attribute.multi and name.sub is not None:
        draft.edit(AttributeEdit(EditOp.REMOVE, name.path, sub=name.sub.name))
    else:
        path = name.path if name.sub is None else (*name.path, name.sub.name)
        draft.edit(AttributeEdit(EditOp.REMOVE, path))


def _remove_elements(draft: Draft, attribute: Attribute, value: Json) -> None:
    try:
        elements = normalise(attribute, value)
    except Misfit as misfit:
        draft.misfit(attribute.name, misfit)
        return
    for element in elements if isinstance(elements, list) else []:
        named = element.get("value") if isinstance(element, dict) else None
        if isinstance(named, str):
            where = (("value", named),)
            draft.edit(AttributeEdit(EditOp.REMOVE, (attribute.name,), where=where))


def _selected(draft: Draft, op: EditOp, name: Name, path: PathText, value: Json | _Absent) -> None:
    """Elements of an array that a filter names (U6 to U11)."""
    try:
        edits = _element_edits(op, name, path, value)
    except Misfit as misfit:
        draft.misfit(name.path[0], misfit)
        return
    for edit in edits:
        draft.edit(edit)


def _element_edits(
    op: EditOp, name: Name, path: PathText, value: Json | _Absent
) -> list[AttributeEdit]:
    attribute = name.attribute
    if attribute is None or not attribute.multi or name.sub is not None:
        raise Misfit("a filter stands behind an array only")
    assert attribute.index is not None
    assert path.where is not None
    found = selectors(attribute, path.where)
    sub = find(attribute.index, path.sub) if path.sub is not None else None
    if path.sub is not None and sub is None:
        raise Misfit("the path ends in an unknown sub-attribute")
    given = None if op is EditOp.REMOVE else _element_value(attribute, sub, value)
    if given is None and op is EditOp.ADD:
        return []
    op = EditOp.REMOVE if given is None else op
    sub_name = sub.name if sub is not None else None
    return [AttributeEdit(op, (attribute.name,), given, where, sub_name) for where in found]


def _element_value(attribute: Attribute, sub: Attribute | None, value: Json | _Absent) -> Json:
    if value is ABSENT:
        raise Misfit("the operation has no value")
    return scalar(sub, value) if sub is not None else single(attribute, unwrapped(value))
