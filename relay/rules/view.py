"""Answers: the bodies of resources, lists and errors as an IdP reads them.

In charge of shape only. RFC 7643 section 3.1 (common attributes), RFC 7644 sections 3.4.2 (lists),
3.4.2.5 (`attributes`, `excludedAttributes`) and 3.12 (errors); `idp-dialects.md` section 4 says
what each sender reads.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from relay.rules.contract import ERROR_SCHEMA, GROUP_SCHEMA, LIST_SCHEMA
from relay.rules.names import Name, resolve
from relay.rules.types import Json, JsonObject, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ALWAYS: Final = ("schemas", "id")


def resource_body(
    kind: Kind,
    public_id: str,
    shadow: JsonObject,
    created: float,
    modified: float,
    base_url: str,
    members: Sequence[tuple[str, str, str]] | None,
    *,
    displays: bool = False,
) -> JsonObject:
    """A resource as the IdP reads it.

    Args:
        kind: User or Group.
        public_id: the id it has for IdPs.
        shadow: what the IdP wrote.
        created: seconds since the epoch.
        modified: seconds since the epoch.
        base_url: of the SCIM root, without a trailing slash.
        members: public id, name and kind of each member, of a user the same of each group it is in
            (`indirect`: through a nested group only); None leaves them out.
        displays: each member carries its `display`, which is returned on request only.
    """
    body: JsonObject = {"schemas": shadow.get("schemas"), "id": public_id, **shadow}
    if members is not None and kind is Kind.GROUP:
        body["members"] = [
            _member(Kind(of), member, display if displays else None, base_url)
            for member, display, of in members
        ]
    elif members is not None:
        body["groups"] = [_group(*found, base_url) for found in members]
    created_at = timestamp(created)
    body["meta"] = {
        "resourceType": kind.value,
        "created": created_at,
        "lastModified": created_at if modified == created else timestamp(modified),
        "location": f"{base_url}/{kind.plural}/{public_id}",
    }
    return body


def _member(kind: Kind, public_id: str, display: str | None, base_url: str) -> JsonObject:
    body: JsonObject = {
        "value": public_id,
        "$ref": f"{base_url}/{kind.plural}/{public_id}",
        "type": kind.value,
    }
    if display is not None:
        body["display"] = display
    return body


def _group(public_id: str, display: str, how: str, base_url: str) -> JsonObject:
    return {
        "value": public_id,
        "$ref": f"{base_url}/{Kind.GROUP.plural}/{public_id}",
        "display": display,
        "type": how if how == "indirect" else "direct",
    }


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds (RFC 7643 section 2.3.5)."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def list_body(total: int, start: int, resources: Sequence[JsonObject]) -> JsonObject:
    """A ListResponse; `Resources` is there even when empty, since senders index into it."""
    found: list[Json] = [*resources]
    return {
        "schemas": [LIST_SCHEMA],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": len(found),
        "Resources": found,
    }


def error_body(status: int, detail: str, scim_type: str | None = None) -> JsonObject:
    """An Error message; `status` is text there (RFC 7644 section 3.12)."""
    body: JsonObject = {"schemas": [ERROR_SCHEMA], "status": str(status), "detail": detail}
    if scim_type is not None:
        body["scimType"] = scim_type
    return body


def select(
    body: JsonObject,
    attributes: str | Iterable[str] | None = None,
    excluded: str | Iterable[str] | None = None,
) -> JsonObject:
    """`body` with the wanted attributes only; `schemas` and `id` always stay.

    Both arguments are a query's comma-separated text or the names themselves, in any notation that
    `names.resolve` knows; unknown names select nothing. `attributes` goes before `excluded`
    (RFC 7644 section 3.4.2.5 has them exclude each other).
    """
    kind = Kind.GROUP if GROUP_SCHEMA in _list(body.get("schemas")) else Kind.USER
    wanted = _names(kind, attributes)
    if wanted is not None:
        return _only(body, wanted)
    unwanted = _names(kind, excluded)
    return _without(body, unwanted) if unwanted else body


def _names(kind: Kind, given: str | Iterable[str] | None) -> list[Name] | None:
    texts = given.split(",") if isinstance(given, str) else list(given or ())
    texts = [text.strip() for text in texts if text.strip()]
    if not texts:
        return None
    return [name for text in texts if (name := resolve(kind, text)) is not None]


def _place(name: Name) -> tuple[str, ...]:
    return name.path if name.sub is None else (*name.path, name.sub.name)


def _only(body: JsonObject, names: list[Name]) -> JsonObject:
    result: JsonObject = {key: body[key] for key in _ALWAYS if key in body}
    for name in names:
        _copy(body, result, _place(name))
    return result


def _copy(source: JsonObject, result: JsonObject, place: tuple[str, ...]) -> None:
    key = place[0]
    if key not in source:
        return
    value = source[key]
    if len(place) == 1:
        result[key] = value
    elif isinstance(value, dict):
        inner = result.get(key)
        inner = dict(inner) if isinstance(inner, dict) else {}
        _copy(value, inner, place[1:])
        result[key] = inner
    elif isinstance(value, list):
        result[key] = _copied_elements(value, _list(result.get(key)), place[1:])


def _copied_elements(source: list[Json], present: list[Json], place: tuple[str, ...]) -> Json:
    copied: list[Json] = []
    for at, item in enumerate(source):
        before = present[at] if at < len(present) else None
        element: JsonObject = dict(before) if isinstance(before, dict) else {}
        if isinstance(item, dict):
            _copy(item, element, place)
        copied.append(element)
    return copied


def _without(body: JsonObject, names: list[Name]) -> JsonObject:
    result = body
    for name in names:
        place = _place(name)
        if place[0] not in _ALWAYS:
            result = _cut(result, place)
    return result


def _cut(source: JsonObject, place: tuple[str, ...]) -> JsonObject:
    key = place[0]
    if key not in source:
        return source
    if len(place) == 1:
        return {name: value for name, value in source.items() if name != key}
    value = source[key]
    if isinstance(value, list):
        cut: Json = [_cut(item, place[1:]) if isinstance(item, dict) else item for item in value]
    else:
        cut = _cut(value, place[1:]) if isinstance(value, dict) else value
    return {**source, key: cut}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
