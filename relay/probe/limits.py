"""Assumptions on numbers (contract: *Limits*); what is measured can be kept as a profile."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import orjson

from relay.probe.assumption import Assumption, Seen, Verdict, judged
from relay.rules.contract import TFE

if TYPE_CHECKING:
    from relay.probe.session import Reply, Session
    from relay.rules.types import JsonObject

_MIB: Final = 1_048_576
_BURST: Final = 40


async def _operations(tfe: Session) -> Seen:
    made = await tfe.user("operations")
    path, limit = f"/Users/{made['id']}", TFE.max_operations
    one: JsonObject = {"op": "Replace", "path": "active", "value": True}
    most, more = await tfe.patch(path, *[one] * limit), await tfe.patch(path, *[one] * (limit + 1))
    holds = most.taken and more.status == HTTPStatus.BAD_REQUEST
    return Seen(
        judged(holds, "").verdict,
        f"{limit}: {most.status}; {limit + 1}: {more}",
        limits={"max_operations": limit} if most.taken else {},
    )


async def _body(tfe: Session) -> Seen:
    """TFE says 1 MB: a million bytes, or 1,048,576?"""
    sizes = (TFE.max_body_bytes, _MIB, _MIB + 1)
    replies = {size: await _of_size(tfe, size) for size in sizes}
    taken = [size for size, reply in replies.items() if reply.status == HTTPStatus.CREATED]
    refused = [reply for size, reply in replies.items() if size not in taken]
    holds = TFE.max_body_bytes in taken and all(
        reply.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE for reply in refused
    )
    what = ", ".join(f"{size:,} bytes: {reply.status}" for size, reply in replies.items())
    verdict = judged(holds and bool(refused), "").verdict
    return Seen(verdict, what, limits={"max_body_bytes": max(taken)} if taken else {})


async def _of_size(tfe: Session, size: int) -> Reply:
    """Create a user with a body of so many bytes."""
    body = tfe.new_user(f"body-{size}", name={"givenName": ""})
    missing = size - len(orjson.dumps(body))
    return await tfe.post("/Users", {**body, "name": {"givenName": "z" * missing}})


async def _members(tfe: Session) -> Seen:
    limit = TFE.max_members
    users = [str((await tfe.user(f"member-{number}"))["id"]) for number in range(limit + 1)]
    full = await tfe.post("/Groups", tfe.new_group("full", users[:limit]))
    over = await tfe.post("/Groups", tfe.new_group("over", users))
    late = await tfe.patch(
        f"/Groups/{full.body.get('id')}",
        {"op": "Add", "path": "members", "value": [{"value": users[-1]}]},
    )
    holds = full.status == HTTPStatus.CREATED and {over.status, late.status} == {
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    }
    return Seen(
        judged(holds, "").verdict,
        f"{limit}: {full.status}; {limit + 1}: {over}; one more: {late}",
        limits={"max_members": limit} if full.status == HTTPStatus.CREATED else {},
    )


async def _rate(tfe: Session) -> Seen:
    """So many reads at once: how many pass, and whether a 429 says how long to wait."""
    replies = await tfe.burst(_BURST)
    passed = sum(reply.status == HTTPStatus.OK for reply in replies)
    refused = [reply for reply in replies if reply.status == HTTPStatus.TOO_MANY_REQUESTS]
    if not refused:
        return Seen(Verdict.UNKNOWN, f"all of {_BURST} passed: no limit below that, or a proxy")
    said = sum(reply.wait_s is not None for reply in refused)
    return Seen(
        judged(passed >= TFE.rate and said == len(refused), "").verdict,
        f"{passed} of {_BURST} passed, {len(refused)} were 429, {said} with Retry-After",
        limits={"rate": passed},
    )


ASSUMPTIONS: Final = (
    Assumption("limits.operations", "100 operations pass, 101 are a 400", _operations),
    Assumption("limits.body", "1 MB passes, more is a 413", _body),
    Assumption("limits.members", "1,000 members pass, 1,001 are a 413", _members, asks="members"),
    Assumption("limits.rate", "10 a second pass, then 429 with Retry-After", _rate, asks="burst"),
)
