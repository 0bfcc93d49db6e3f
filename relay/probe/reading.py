"""Assumptions on discovery, lists and filters (contract: *Discovery*, *Limits*, *Users*)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4

from relay.probe.assumption import Assumption, Seen, Verdict, judged

if TYPE_CHECKING:
    from relay.probe.session import Reply, Session

_PAGE: Final = 200


async def _discovery(tfe: Session) -> Seen:
    paths = ("/ServiceProviderConfig", "/Schemas", "/ResourceTypes", "/ResourceTypes/Group")
    replies = [await tfe.get(path) for path in paths]
    return judged(
        all(reply.status == HTTPStatus.OK for reply in replies), ", ".join(map(str, replies))
    )


async def _count_zero(tfe: Session) -> Seen:
    reply = await tfe.get("/Users", count="0")
    total, listed = reply.body.get("totalResults"), reply.body.get("Resources") or []
    return judged(
        isinstance(total, int) and listed == [], f"{reply.status}, {total} in all, {listed!r:.40}"
    )


async def _page_cap(tfe: Session) -> Seen:
    reply = await tfe.get("/Users", count=str(_PAGE * 5))
    total, listed = reply.body.get("totalResults"), reply.body.get("Resources") or []
    assert isinstance(listed, list)
    if not isinstance(total, int) or total <= _PAGE:
        return Seen(Verdict.UNKNOWN, f"{total} users are there; more than {_PAGE} would tell")
    return Seen(
        Verdict.HOLDS if len(listed) == _PAGE else Verdict.DIFFERS,
        f"{len(listed)} of {total} in a page of {_PAGE * 5}",
        limits={"max_page": len(listed)},
    )


async def _start_below_one(tfe: Session) -> Seen:
    await tfe.user("start")
    low, one = [await tfe.get("/Users", count="1", startIndex=start) for start in ("0", "1")]
    return judged(_ids(low) == _ids(one) != [], f"{low.status}, {_ids(low)} and {_ids(one)}")


async def _name_filter(tfe: Session) -> Seen:
    made, _other = await tfe.user("filtered"), await tfe.user("filtered-not")
    name = str(made["userName"])
    reply = await tfe.get("/Users", filter=f'userName eq "{name.upper()}"')
    return judged(_ids(reply) == [made["id"]], f"{reply.status}, {len(_ids(reply))} found")


async def _group_name_filter(tfe: Session) -> Seen:
    made, _other = await tfe.group("filtered"), await tfe.group("filtered-not")
    name = str(made["displayName"])
    reply = await tfe.get("/Groups", filter=f'displayName eq "{name.upper()}"')
    return judged(_ids(reply) == [made["id"]], f"{reply.status}, {len(_ids(reply))} found")


async def _external_id_filter(tfe: Session) -> Seen:
    external = tfe.name("Ext")
    made = await tfe.user("external", externalId=external)
    exact = await tfe.get("/Users", filter=f'externalId eq "{external}"')
    other = await tfe.get("/Users", filter=f'externalId eq "{external.upper()}"')
    return judged(
        _ids(exact) == [made["id"]] and _ids(other) == [],
        f"{len(_ids(exact))} found by the same letters, {len(_ids(other))} by capitals",
    )


async def _other_filter(tfe: Session) -> Seen:
    reply = await tfe.get("/Users", filter='userName sw "zz-relay-"')
    if reply.status == HTTPStatus.OK:
        return Seen(Verdict.NOTED, "200: it takes more than eq; the relay never sends it")
    return judged(reply.status == HTTPStatus.BAD_REQUEST, str(reply))


async def _without_members(tfe: Session) -> Seen:
    user = await tfe.user("listed")
    made = await tfe.group("listed", str(user["id"]))
    reply = await tfe.get(f"/Groups/{made['id']}", excludedAttributes="members")
    return judged(
        reply.status == HTTPStatus.OK and "members" not in reply.body,
        f"{reply.status}, {'with' if 'members' in reply.body else 'without'} members",
    )


async def _display(tfe: Session) -> Seen:
    user = await tfe.user("displayed")
    made = await tfe.group("displayed", str(user["id"]))
    reply = await tfe.get(f"/Groups/{made['id']}")
    found = reply.body.get("members")
    first = found[0] if isinstance(found, list) and found else {}
    shown = first.get("display") if isinstance(first, dict) else None
    return judged(shown == user["userName"], f"display is {shown!r}")


async def _ids_are_uuids(tfe: Session) -> Seen:
    made = await tfe.user("uuid")
    try:
        UUID(str(made["id"]))
    except ValueError:
        return judged(holds=False, what=f"an id is {made['id']!r}")
    return judged(holds=True, what="a UUID")


async def _unknown_id(tfe: Session) -> Seen:
    replies = [await tfe.get(f"/{kind}/{uuid4()}") for kind in ("Users", "Groups")]
    return judged(
        all(reply.status == HTTPStatus.NOT_FOUND for reply in replies), ", ".join(map(str, replies))
    )


async def _error_form(tfe: Session) -> Seen:
    reply = await tfe.get(f"/Users/{uuid4()}")
    schemas = reply.body.get("schemas")
    named = isinstance(schemas, list) and any("Error" in str(one) for one in schemas)
    return judged(named and "detail" in reply.body, f"keys {sorted(reply.body)}")


def _ids(reply: Reply) -> list[object]:
    listed = reply.body.get("Resources")
    return (
        [one["id"] for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    )


ASSUMPTIONS: Final = (
    Assumption("discovery", "discovery answers 200", _discovery),
    Assumption("lists.count-zero", "count=0 gives only totalResults", _count_zero),
    Assumption("lists.page", f"a page has {_PAGE} resources at most", _page_cap),
    Assumption("lists.start", "startIndex below 1 means 1", _start_below_one),
    Assumption("users.filter-name", "userName eq ignores case", _name_filter),
    Assumption("groups.filter-name", "displayName eq ignores case", _group_name_filter),
    Assumption("users.filter-external", "externalId eq is exact", _external_id_filter),
    Assumption("filters.other", "a filter that is no eq is a 400", _other_filter),
    Assumption("groups.exclude-members", "excludedAttributes=members is kept", _without_members),
    Assumption("groups.display", "a member's display is its userName", _display),
    Assumption("ids.uuid", "TFE mints UUIDs", _ids_are_uuids),
    Assumption("ids.unknown", "an unknown id is a 404", _unknown_id),
    Assumption("errors.form", "errors are SCIM errors", _error_form),
)
