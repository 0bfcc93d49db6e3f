"""Whole resources: the bodies of POST and PUT.

`idp-dialects.md` section 4. Null is "not given" here, and so is `members: null`. A PUT may be
partial (connector-scimrest, JumpCloud): what TFE keeps and the body does not name stays as it is,
which `shadow.apply` sees to.
"""

from __future__ import annotations

from relay.errors import Refused
from relay.rules.dialect.draft import Draft, refuse_value
from relay.rules.types import EditOp, Json, JsonObject, Kind, Verb, Write


def parse_create(kind: Kind, body: Json) -> Write:
    """A POST in normal form.

    Raises:
        Refused: 400, the body is not a resource of `kind` or has no name.
    """
    draft = _draft(kind, body)
    if not draft.names_itself:
        refuse_value(kind.name_attribute, f"a {kind.value} cannot be created without it")
    return draft.write(Verb.CREATE)


def parse_replace(kind: Kind, body: Json) -> Write:
    """A PUT in normal form; `members` given is the whole roster, left out says nothing of it.

    Raises:
        Refused: 400, the body is not a resource of `kind`.
    """
    return _draft(kind, body).write(Verb.REPLACE)


def object_of(body: Json, what: str) -> JsonObject:
    """`body` as an object.

    Raises:
        Refused: 400, it is something else.
    """
    if isinstance(body, dict):
        return body
    raise Refused(400, f"cannot read {what}: a JSON object was expected", "invalidSyntax")


def _draft(kind: Kind, body: Json) -> Draft:
    draft = Draft(kind)
    for key, value in object_of(body, "the body").items():
        draft.put(EditOp.SET, key, value, clears=False)
    return draft
