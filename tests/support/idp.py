"""A plain SCIM client, as an identity provider would have: it knows nothing of the relay."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

TOKEN = "idp-token-of-the-tests"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: Any


class Idp:
    """`async with Idp(base) as idp: await idp.post("/Users", {...})`."""

    def __init__(self, base: str, token: str = TOKEN) -> None:
        self._base = base
        self._token = token

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=aiohttp.ClientTimeout(total=60),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def call(self, method: str, path: str, body: Any = None) -> Reply:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/scim+json"} if data else {}
        async with self._session.request(
            method, self._base + path, data=data, headers=headers
        ) as response:
            text = await response.text()
            return Reply(response.status, response.headers, json.loads(text) if text else None)

    async def get(self, path: str) -> Reply:
        return await self.call("GET", path)

    async def find(self, kind: str, text: str) -> Reply:
        return await self.call("GET", f"/{kind}?filter={quote(text)}")

    async def post(self, path: str, body: Any) -> Reply:
        return await self.call("POST", path, body)

    async def patch(self, path: str, *operations: Any) -> Reply:
        return await self.call("PATCH", path, patch_body(*operations))

    async def put(self, path: str, body: Any) -> Reply:
        return await self.call("PUT", path, body)

    async def delete(self, path: str) -> Reply:
        return await self.call("DELETE", path)

    async def create_user(self, name: str, /, **more: Any) -> str:
        """Create a user and return the id the relay gave out."""
        reply = await self.post("/Users", user(name, **more))
        assert reply.status == 201, reply
        return reply.body["id"]

    async def create_group(self, name: str, *members: str, **more: Any) -> str:
        reply = await self.post("/Groups", group(name, *members, **more))
        assert reply.status == 201, reply
        return reply.body["id"]


def user(name: str, /, **more: Any) -> dict[str, Any]:
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": name,
        "emails": [
            {
                "value": f"{name.split('@', maxsplit=1)[0]}@example.com",
                "type": "work",
                "primary": True,
            }
        ],
        "active": True,
        **more,
    }


def group(name: str, *members: str, **more: Any) -> dict[str, Any]:
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": name,
        "members": [{"value": member} for member in members],
        **more,
    }


def patch_body(*operations: Any) -> dict[str, Any]:
    return {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": list(operations),
    }


def add(*members: str) -> dict[str, Any]:
    return {"op": "add", "path": "members", "value": [{"value": member} for member in members]}


def remove(member: str) -> dict[str, Any]:
    return {"op": "remove", "path": f'members[value eq "{member}"]'}


def deactivate() -> dict[str, Any]:
    return {"op": "replace", "value": {"active": False}}


def activate() -> dict[str, Any]:
    """The operation that takes a suspension back."""
    return {"op": "replace", "path": "active", "value": True}


def replace_members(*members: str) -> dict[str, Any]:
    """The operation that gives a whole roster; without members it empties the group."""
    return {"op": "replace", "path": "members", "value": [{"value": one} for one in members]}
