"""What operators ask and order about connections: whose users and groups are, and giving them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.errors import RelayError
from relay.ops.errors import NotFound
from relay.orders.arguments import SHOWN, why_of
from relay.orders.tokens import tokens_told
from relay.rules.ownership import NOBODY
from relay.rules.types import Kind
from relay.store.operate.giving import Estate

if TYPE_CHECKING:
    from relay.clock import Clock
    from relay.front.auth import TokenTable
    from relay.ops.control import Route
    from relay.rules.types import Json, JsonObject
    from relay.store import Store

_CONDITIONS: Final = "--user, --group, --kind or --name"


class ConnectionOrders:
    """Answers `connections list` and `connections transfer`.

    Args:
        tokens: the connections that are configured now, and their tokens.
        store: whose everything is.
        clock: time.
    """

    def __init__(self, tokens: TokenTable, store: Store, clock: Clock) -> None:
        self._tokens = tokens
        self._store = store
        self._clock = clock

    def routes(self) -> dict[str, Route]:
        """What the control socket answers."""
        return {"connections/list": self._list, "connections/transfer": self._transfer}

    async def _list(self, _arguments: JsonObject, _actor: str) -> Json:
        """The configured connections, then who else owns something."""
        owned = await self._store.desk.owned()
        tokens = tokens_told(self._tokens, self._clock.wall())
        rows: list[Json] = []
        for one in self._tokens.connections:
            counts = _counts(owned.pop(one.name, {}))
            its: list[Json] = [row for row in tokens if row["connection"] == one.name]
            scope = "own" if one.own else "all"
            rows.append({"connection": one.name, "scope": scope, **counts, "tokens": its})
        rows += [
            {"connection": name, "scope": None, **_counts(counts), "tokens": []}
            for name, counts in sorted(owned.items(), key=lambda one: (one[0] == NOBODY, one[0]))
        ]
        return rows

    async def _transfer(self, arguments: JsonObject, actor: str) -> Json:
        """Give users and groups of one owner to another."""
        estate, reason = estate_of(arguments), why_of(arguments)
        names = {one.name for one in self._tokens.connections}
        if estate.heir not in names | {NOBODY}:
            known = ", ".join(sorted(names))
            raise RelayError(
                f"cannot give anything to {estate.heir!r}: no [[connections]] is called so;"
                f" known are {known} and {NOBODY}"
            )
        given = await self._store.desk.transfer(estate, actor, reason)
        if not given:
            raise NotFound(
                f"nothing that matches is {estate.owner}'s; see `scim-relay connections list`"
            )
        kinds = [one.kind for one in given]
        return {
            "transferred": len(given),
            "from": estate.owner,
            "to": estate.heir,
            "users": kinds.count(Kind.USER.value),
            "groups": kinds.count(Kind.GROUP.value),
            "resources": [
                {"kind": one.kind, "name": one.name, "id": one.id} for one in given[:SHOWN]
            ],
        }


def _counts(counts: dict[str, int]) -> JsonObject:
    return {"users": counts.get(Kind.USER.value, 0), "groups": counts.get(Kind.GROUP.value, 0)}


def estate_of(arguments: JsonObject) -> Estate:
    """What a transfer is about.

    Raises:
        RelayError: both ends are one, or no condition is given and `all` is not said.
    """
    kind, name = arguments.get("kind"), arguments.get("name")
    estate = Estate(
        owner=str(arguments.get("from")),
        heir=str(arguments.get("to")),
        kind=Kind(kind) if isinstance(kind, str) else None,
        name=name if isinstance(name, str) and name else None,
        users=_texts(arguments.get("users")),
        groups=_texts(arguments.get("groups")),
    )
    if estate.owner == estate.heir:
        raise RelayError(f"cannot give {estate.owner}'s to {estate.heir}: that is what it is")
    if estate.whole and not arguments.get("all"):
        raise RelayError(f"cannot give everything by accident: give {_CONDITIONS}, or --all")
    return estate


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
