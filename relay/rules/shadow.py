"""The shadow: what the IdP wrote, and what TFE keeps of it.

In charge of applying a `Write` to the copy that answers every read, and of projecting that copy to
the four fields that TFE stores. The shadow never holds `id`, `meta`, `members`, `groups` or a
password (A5). Carries rule 8 of `idp-dialects.md` section 2: an address is found where there is
one, kept where none is given, and made up where the policy says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from relay.errors import Refused
from relay.rules.contract import ENTERPRISE_SCHEMA
from relay.rules.dialect import parse_create
from relay.rules.dialect.draft import KEPT
from relay.rules.dialect.members import member_ids
from relay.rules.edits import applied
from relay.rules.names import schema_of
from relay.rules.types import AttributeEdit, Fields, Json, JsonObject, Kind, Verb, Write

# Lenient on purpose: `x@corp.local` is a real address in real directories (libraries.md P2).
_ADDRESS: Final = re.compile(r"[^\s@<>()\[\],;:\"\\]+@[^\s@<>()\[\],;:\"\\]+\Z")
USER_NAME_POLICY: Final = "userName"
_PLACEHOLDER: Final = "{userName}"


@dataclass(frozen=True, slots=True)
class TargetResource:
    """A resource as TFE answered it.

    Attributes:
        id: TFE's own id.
        shadow: its attributes as a shadow.
        fields: what TFE keeps.
        members: TFE's ids of a group's members; None for a user, or when they were left out.
    """

    id: str
    shadow: JsonObject
    fields: Fields
    members: tuple[str, ...] | None


def apply(write: Write, shadow: JsonObject | None) -> JsonObject:
    """The shadow after `write`; `shadow` itself stays as it was.

    CREATE starts from nothing. REPLACE too, except that what TFE keeps and the request does not
    name stays (`idp-dialects.md` section 4: partial PUT, `emails: null`). PATCH goes step by step.
    """
    result = _start(write, shadow or {})
    for edit in write.edits:
        if not (write.verb is not Verb.PATCH and _says_no_address(edit) and result.get("emails")):
            result = applied(result, edit)
    schema = schema_of(write.kind)
    result["schemas"] = [schema, ENTERPRISE_SCHEMA] if ENTERPRISE_SCHEMA in result else [schema]
    return result


def _says_no_address(edit: AttributeEdit) -> bool:
    """`emails: []` of a body: read back where no address is known, else the stored one stays."""
    return edit.path == ("emails",) and edit.value == []


def _start(write: Write, shadow: JsonObject) -> JsonObject:
    match write.verb:
        case Verb.CREATE:
            return {}
        case Verb.REPLACE:
            return {key: shadow[key] for key in KEPT[write.kind] if key in shadow}
        case _:
            return dict(shadow)


def project(
    kind: Kind,
    shadow: JsonObject,
    previous: Fields | None,
    missing_address: str = USER_NAME_POLICY,
) -> Fields:
    """What TFE keeps of `shadow`.

    Args:
        kind: of which resource.
        shadow: as `apply` left it.
        previous: what TFE kept before; None for a new resource.
        missing_address: the address of a new user who has none: `userName` takes the `userName`
            if it looks like an address; text with `{userName}` in it does too, and is the
            pattern of an address where it does not; anything else refuses.

    Raises:
        Refused: 400, no name, or a new user without an address (contract: `POST /Users`).
    """
    name = _text(shadow.get(kind.name_attribute)) or (previous.name if previous else None)
    if name is None:
        raise Refused(
            400, f"cannot keep a {kind.value} without {kind.name_attribute}", "invalidValue"
        )
    external_id = _text(shadow.get("externalId"))
    if kind is Kind.GROUP:
        # TFE replaces a group's externalId and has no way to clear it.
        return Fields(name, external_id or (previous.external_id if previous else None))
    active = shadow.get("active")
    if not isinstance(active, bool):
        active = previous.active if previous else None
    email = preferred_address(shadow.get("emails")) or (previous.email if previous else None)
    if email is None and previous is None:
        email = _made_up(name, missing_address)
    return Fields(name, external_id, True if active is None else active, email)


def preferred_address(emails: Json) -> str | None:
    """The one address TFE keeps: the primary, else the work one, else the first with a value."""
    if not isinstance(emails, list):
        return None
    usable = [item for item in emails if isinstance(item, dict) and _text(item.get("value"))]
    for wanted in (_is_primary, _is_work):
        for item in usable:
            if wanted(item):
                return _text(item["value"])
    return _text(usable[0]["value"]) if usable else None


def _is_primary(item: JsonObject) -> bool:
    return str(item.get("primary")).lower() == "true"


def _is_work(item: JsonObject) -> bool:
    return str(item.get("type")).lower() == "work"


def _made_up(name: str, policy: str) -> str:
    if (policy == USER_NAME_POLICY or _PLACEHOLDER in policy) and _ADDRESS.match(name):
        return name
    made_up = policy.replace(_PLACEHOLDER, name) if _PLACEHOLDER in policy else ""
    if _ADDRESS.match(made_up):
        return made_up
    raise Refused(
        400,
        f"cannot create {name[:200]}: emails has no address and userName cannot stand for one; "
        "Terraform Enterprise needs one, map an attribute to emails",
        "invalidValue",
    )


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None


def from_target(kind: Kind, body: Json) -> TargetResource:
    """A resource as TFE answers it, for import and adoption.

    Raises:
        ValueError: `body` is not a resource of `kind` with an id and a name.
    """
    try:
        return _from_target(kind, body)
    except Refused as refused:
        raise ValueError(f"cannot use TFE's answer: {refused.detail}") from refused


def readable(kind: Kind, body: object) -> TargetResource | None:
    """A resource of TFE's, or None if it cannot be used as what it claims to be."""
    try:
        return from_target(kind, body)  # type: ignore[arg-type]  # JSON, checked in there
    except ValueError:
        return None


def _from_target(kind: Kind, body: Json) -> TargetResource:
    write = parse_create(kind, body)
    assert isinstance(body, dict)
    found = _text(body.get("id"))
    if found is None:
        raise ValueError("cannot use TFE's answer: it has no id")
    shadow = apply(write, None)
    unknown = Fields(name="", external_id=None, active=None, email=None)
    members = body.get("members") if kind is Kind.GROUP else None
    return TargetResource(
        found,
        shadow,
        project(kind, shadow, unknown),
        member_ids(members) if members is not None else None,
    )
