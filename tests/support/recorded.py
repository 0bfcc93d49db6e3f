"""The recorded requests of identity providers, as a live sender would send them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from yarl import URL

from support.idp import TOKEN, Reply

if TYPE_CHECKING:
    from collections.abc import Iterable

    import aiohttp

    from relay.simulator.server import Simulator
    from support.relays import Relay

FOLDER = Path(__file__).parents[1] / "fixtures" / "idp"
FILES = sorted(FOLDER.glob("*.jsonl"))
ALIAS = re.compile(r"\{((?:user|group):\w+)\}")


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@dataclass
class Sender:
    """Sends recorded lines; remembers the ids it was given and what they are in TFE."""

    relay: Relay
    sim: Simulator
    session: aiohttp.ClientSession
    base: str
    ids: dict[str, str] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)

    async def send(self, line: dict[str, Any]) -> Reply:
        """One line on the wire, headers and odd queries included."""
        path, body = self._bound(line["path"]), self._bound(line["body"])
        query = line.get("raw_query")
        if query is None:
            query = urlencode(self._bound(line["query"] or {}))
        url = URL(f"{self.base}{path}{'?' if query or 'raw_query' in line else ''}{query}",
                  encoded=True)  # fmt: skip
        headers = {name: value.replace("{token}", TOKEN) for name, value in line["headers"].items()}
        data = None if body is None else json.dumps(body).encode()
        async with self.session.request(line["method"], url, data=data, headers=headers) as answer:
            text = await answer.text()
            reply = Reply(answer.status, answer.headers, json.loads(text) if text else None)
        if "binds" in line and reply.status == 201:
            self.ids[line["binds"]] = reply.body["id"]
        return reply

    def _bound(self, value: Any) -> Any:
        text = json.dumps(value)
        for alias, identifier in self.ids.items():
            text = text.replace("{" + alias + "}", identifier)
        return json.loads(text)

    async def settle(self) -> None:
        """Wait until TFE has it all, and learn TFE's ids."""
        await self.relay.settled()
        for alias, identifier in self.ids.items():
            target = await self.relay.target_id(identifier)
            if target is not None:
                self.targets[alias] = target

    def held(self, after: dict[str, Any]) -> dict[str, Any]:
        """What TFE holds of the resource that `after` speaks of, by the same keys."""
        target = self.targets[after["resource"]]
        users, groups = self.sim.directory.users, self.sim.directory.groups
        user, group = users.get(target), groups.get(target)
        if user is not None:
            fields: Any = user.fields
            known = {
                "userName": fields.user_name,
                "active": fields.active,
                "email": fields.email,
                "externalId": fields.external_id,
            }
        elif group is not None:
            fields = group.fields
            known = {
                "displayName": fields.display_name,
                "externalId": fields.external_id,
                "members": sorted(fields.members),
            }
        else:
            known = {"deleted": True}
        known["resource"] = after["resource"]
        return {name: known.get(name) for name in after}

    def meant(self, after: dict[str, Any]) -> dict[str, Any]:
        """`after` with its members in TFE's ids."""
        if "members" not in after:
            return after
        return after | {"members": sorted(self.targets[alias] for alias in after["members"])}


def accepted_statuses(line: dict[str, Any]) -> set[int]:
    """A PATCH that is marked 200 may be a 204 (the fixtures' README)."""
    status = line["expect_status"]
    return {status, 204} if line["method"] == "PATCH" and status == 200 else {status}


def refusals(sim: Simulator) -> Iterable[tuple[str, str, int | None]]:
    """What TFE refused."""
    return [
        (entry.method, entry.path, entry.status)
        for entry in sim.log.entries()
        if entry.status is not None and entry.status // 100 == 4
    ]


def independent(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two requests mean the same in either order.

    Both write and neither speaks of the resource that the other writes. A creation that is to be
    refused depends on the one before it by its name alone, so it stays where it is.
    """
    if any(line["method"] == "GET" or line["expect_status"] == 409 for line in (one, other)):
        return False
    mine, theirs = _written(one), _written(other)
    return not (_spoken_of(one) & theirs or _spoken_of(other) & mine)


def _written(line: dict[str, Any]) -> set[str]:
    """Aliases of what a request writes."""
    made = {line["binds"]} if "binds" in line else set()
    return made | set(ALIAS.findall(line["path"]))


def _spoken_of(line: dict[str, Any]) -> set[str]:
    """Aliases of what a request names anywhere."""
    return set(ALIAS.findall(json.dumps([line["path"], line["body"]]))) | _written(line)
