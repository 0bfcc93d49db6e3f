"""Random histories of an identity provider, and the fold that says what TFE must hold after them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from relay.errors import Refused
from relay.rules import dialect
from relay.rules.types import Kind, Verb, Write
from relay.simulator import Fault, FaultKind, Match
from support.idp import add, deactivate, group, patch_body, remove, user

if TYPE_CHECKING:
    from support.world import World

MOST_DEATHS = 2
NAMES = ("ann", "bob", "cy", "Ann", "BOB")

Step = tuple[Any, ...]
_name = st.sampled_from(NAMES)
_which = st.integers(0, 5)
_members = st.lists(_which, max_size=4).map(tuple)
_external = st.sampled_from((None, "e1", "e2", "e3"))
_seconds = st.sampled_from((0.0, 0.02, 0.2, 0.4, 1.1, 6.0, 70.0, 400.0))

writes = st.one_of(
    st.tuples(st.just("create_user"), _name, st.booleans(), _external),
    st.tuples(st.just("rename_user"), _which, _name),
    st.tuples(st.just("activate"), _which),
    st.tuples(st.just("deactivate"), _which),
    st.tuples(st.just("move_address"), _which, _name),
    st.tuples(st.just("set_external"), _which, _external),
    st.tuples(st.just("put_user"), _which, _name, st.booleans()),
    st.tuples(st.just("delete_user"), _which),
    st.tuples(st.just("create_group"), _name, _members),
    st.tuples(st.just("rename_group"), _which, _name),
    st.tuples(st.just("swap_groups"), _which, _which),
    st.tuples(st.just("swap_users"), _which, _which),
    st.tuples(st.just("add_members"), _which, _members),
    st.tuples(st.just("remove_members"), _which, _members),
    st.tuples(st.just("set_roster"), _which, _members),
    st.tuples(st.just("put_group"), _which, _name, _members),
    st.tuples(st.just("delete_group"), _which),
    st.tuples(st.just("recreate_user"), _which),
    st.tuples(st.just("recreate_group"), _which, _members),
)
time = st.tuples(st.just("pass"), _seconds)
_method = st.sampled_from((None, "POST", "PATCH", "DELETE", "GET"))
faults = st.one_of(
    st.tuples(st.just("fault"), st.just("status"), st.sampled_from((429, 500, 502, 503)), _method),
    st.tuples(st.just("fault"), st.just("status-after"), st.sampled_from((500, 502, 504)), _method),
    st.tuples(
        st.just("fault"),
        st.sampled_from(("reset-before", "reset-after", "cut", "garbage")),
        st.just(0),
        _method,
    ),
    st.tuples(
        st.just("fault"), st.sampled_from(("slow-before", "slow-after")), st.just(0), _method
    ),
)
upsets = st.one_of(
    faults, st.just(("crash",)), st.tuples(st.just("pause"), st.sampled_from((0.5, 20.0)))
)


def histories(size: int, least: int = 0) -> st.SearchStrategy[list[Step]]:
    """Lists of steps: writes mostly, time, trouble."""
    steps = st.one_of(writes, writes, writes, time, upsets)
    return st.lists(steps, min_size=least, max_size=size)


@dataclass
class Entry:
    """A resource as the IdP left it."""

    id: str
    name: str
    external: str | None = None
    active: bool = True
    email: str = ""
    members: list[Entry] = field(default_factory=list)


class Player:
    """Plays steps against a world and folds what was accepted."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.users: list[Entry] = []
        self.groups: list[Entry] = []
        self._deaths: list[float] = []

    async def play(self, steps: list[Step]) -> None:
        for step in steps:
            await getattr(self, step[0].replace("pass", "pass_"))(*step[1:])
            await self.after_step()

    async def after_step(self) -> None:
        """What must be so after each step."""
        await self.world.store.run(self.world.unasked.look)
        assert self.world.unasked.found == []

    # --- the fold ---------------------------------------------------------------------------

    def expected(self) -> dict[str, Any]:
        return {
            "users": sorted((u.name, u.external, u.active, u.email) for u in self.users),
            "groups": sorted((g.name, sorted(m.name for m in g.members)) for g in self.groups),
        }

    def held(self) -> dict[str, Any]:
        """What TFE holds, in the same form."""
        directory = self.world.tfe.directory
        return {
            "users": sorted(
                (u.fields.user_name, u.fields.external_id, u.fields.active, u.fields.email)
                for u in directory.users
            ),
            "groups": sorted(
                (
                    g.fields.display_name,
                    sorted(directory.user(m).fields.user_name for m in g.fields.members),
                )
                for g in directory.groups
            ),
        }

    # --- trouble ----------------------------------------------------------------------------

    async def pass_(self, seconds: float) -> None:
        await self.world.pass_time(seconds)

    async def crash(self) -> None:
        """Two deaths in a row at most: the third parks what was under way (D6)."""
        loop = asyncio.get_running_loop()
        self._deaths = [when for when in self._deaths if when > loop.time() - 60.0]
        if len(self._deaths) < MOST_DEATHS:
            self._deaths.append(loop.time())
            await self.world.crash()
            await self.world.start()

    async def pause(self, seconds: float) -> None:
        self.world.tfe.pause()
        await self.world.pass_time(seconds)
        self.world.tfe.resume()

    async def fault(self, kind: str, status: int, method: str | None) -> None:
        fault = Fault(kind=FaultKind(kind), status=status, delay_s=3.0)
        self.world.tfe.faults.add(fault, Match(method=method))

    # --- writes -----------------------------------------------------------------------------

    async def _accept(self, write: Write, identifier: str | None, clashes: bool = False) -> Any:
        """Have it accepted; a 409 must come exactly where the fold says so."""
        try:
            accepted = await self.world.store.directory.accept("idp", write, identifier)
        except Refused as refused:
            if not clashes or refused.status != 409:
                raise
            return None
        if accepted.repeat:
            return None  # its first answer was lost in a crash: the same id again (A1)
        assert not clashes
        if accepted.change:
            self.world.store.directory.answered(accepted.change)
        return accepted

    async def _patch(
        self, kind: Kind, entry: Entry, *operations: Any, clashes: bool = False
    ) -> bool:
        write = dialect.parse_patch(kind, patch_body(*operations))
        return await self._accept(write, entry.id, clashes) is not None

    @staticmethod
    def _pick(entries: list[Entry], which: int) -> Entry | None:
        return entries[which % len(entries)] if entries else None

    @staticmethod
    def _taken(entries: list[Entry], name: str, but: Entry | None = None) -> bool:
        return any(e is not but and e.name.casefold() == name.casefold() for e in entries)

    def _some_users(self, which: tuple[int, ...]) -> list[Entry]:
        found = [self._pick(self.users, index) for index in which]
        return list({id(entry): entry for entry in found if entry is not None}.values())

    async def create_user(self, name: str, active: bool, external: str | None) -> None:
        body = user(f"{name}@x.org", active=active)
        if external is not None:
            body["externalId"] = external
        write = dialect.parse_create(Kind.USER, body)
        full = f"{name}@x.org"
        accepted = await self._accept(write, None, self._taken(self.users, full))
        if accepted is not None:
            email = body["emails"][0]["value"]
            self.users.append(Entry(accepted.resource.public_id, full, external, active, email))

    async def rename_user(self, which: int, name: str) -> None:
        entry = self._pick(self.users, which)
        if entry is None:
            return
        full = f"{name}@x.org"
        clashes = self._taken(self.users, full, entry)
        operation = {"op": "Replace", "path": "userName", "value": full}
        if await self._patch(Kind.USER, entry, operation, clashes=clashes):
            entry.name = full

    async def activate(self, which: int) -> None:
        entry = self._pick(self.users, which)
        if entry is None:
            return
        await self._patch(Kind.USER, entry, {"op": "replace", "path": "active", "value": "True"})
        entry.active = True

    async def deactivate(self, which: int) -> None:
        entry = self._pick(self.users, which)
        if entry is None:
            return
        await self._patch(Kind.USER, entry, deactivate())
        entry.active = False

    async def move_address(self, which: int, name: str) -> None:
        entry = self._pick(self.users, which)
        if entry is None:
            return
        value = f"{name}@new.example"
        path = 'emails[type eq "work"].value'
        await self._patch(Kind.USER, entry, {"op": "replace", "path": path, "value": value})
        entry.email = value

    async def set_external(self, which: int, external: str | None) -> None:
        entry = self._pick(self.users, which)
        if entry is None:
            return
        operation = {"op": "remove", "path": "externalId"}
        if external is not None:
            operation = {"op": "replace", "path": "externalId", "value": external}
        await self._patch(Kind.USER, entry, operation)
        entry.external = external

    async def put_user(self, which: int, name: str, active: bool) -> None:
        entry = self._pick(self.users, which)
        if entry is None:
            return
        body = user(f"{name}@x.org", active=active)
        clashes = self._taken(self.users, body["userName"], entry)
        write = dialect.parse_replace(Kind.USER, body)
        if await self._accept(write, entry.id, clashes):
            entry.name, entry.active = body["userName"], active
            entry.email = body["emails"][0]["value"]

    async def delete_user(self, which: int) -> None:
        entry = self._pick(self.users, which)
        if entry is None:
            return
        await self._accept(Write(Verb.DELETE, Kind.USER), entry.id)
        self.users.remove(entry)
        for held in self.groups:
            held.members = [member for member in held.members if member is not entry]

    async def recreate_user(self, which: int) -> None:
        entry = self._pick(self.users, which)
        if entry is None:
            return
        await self.delete_user(which)
        await self.create_user(entry.name.split("@")[0], entry.active, entry.external)

    async def create_group(self, name: str, which: tuple[int, ...]) -> None:
        members = self._some_users(which)
        write = dialect.parse_create(Kind.GROUP, group(name, *(m.id for m in members)))
        accepted = await self._accept(write, None, self._taken(self.groups, name))
        if accepted is not None:
            self.groups.append(Entry(accepted.resource.public_id, name, members=members))

    async def rename_group(self, which: int, name: str) -> None:
        entry = self._pick(self.groups, which)
        if entry is None:
            return
        clashes = self._taken(self.groups, name, entry)
        operation = {"op": "replace", "value": {"displayName": name}}
        if await self._patch(Kind.GROUP, entry, operation, clashes=clashes):
            entry.name = name

    async def swap_groups(self, one: int, other: int) -> None:
        await self._swap(Kind.GROUP, self._pick(self.groups, one), self._pick(self.groups, other))

    async def swap_users(self, one: int, other: int) -> None:
        await self._swap(Kind.USER, self._pick(self.users, one), self._pick(self.users, other))

    async def _swap(self, kind: Kind, one: Entry | None, other: Entry | None) -> None:
        """Exchange two names, as IdPs do: by way of a third."""
        if one is None or other is None or one is other:
            return
        first, second = one.name, other.name
        for entry, name in ((one, f"{first}-tmp"), (other, first), (one, second)):
            operation = {"op": "replace", "path": kind.name_attribute, "value": name}
            if not await self._patch(kind, entry, operation):
                return
            entry.name = name

    async def add_members(self, which: int, members: tuple[int, ...]) -> None:
        entry, users = self._pick(self.groups, which), self._some_users(members)
        if entry is None or not users:
            return
        await self._patch(Kind.GROUP, entry, add(*(u.id for u in users)))
        entry.members += [u for u in users if u not in entry.members]

    async def remove_members(self, which: int, members: tuple[int, ...]) -> None:
        entry, users = self._pick(self.groups, which), self._some_users(members)
        if entry is None or not users:
            return
        await self._patch(Kind.GROUP, entry, *(remove(u.id) for u in users))
        entry.members = [member for member in entry.members if member not in users]

    async def set_roster(self, which: int, members: tuple[int, ...]) -> None:
        entry, users = self._pick(self.groups, which), self._some_users(members)
        if entry is None:
            return
        value = [{"value": u.id} for u in users]
        await self._patch(Kind.GROUP, entry, {"op": "replace", "path": "members", "value": value})
        entry.members = users

    async def put_group(self, which: int, name: str, members: tuple[int, ...]) -> None:
        entry, users = self._pick(self.groups, which), self._some_users(members)
        if entry is None:
            return
        write = dialect.parse_replace(Kind.GROUP, group(name, *(u.id for u in users)))
        if await self._accept(write, entry.id, self._taken(self.groups, name, entry)):
            entry.name, entry.members = name, users

    async def delete_group(self, which: int) -> None:
        entry = self._pick(self.groups, which)
        if entry is None:
            return
        await self._accept(Write(Verb.DELETE, Kind.GROUP), entry.id)
        self.groups.remove(entry)

    async def recreate_group(self, which: int, members: tuple[int, ...]) -> None:
        entry = self._pick(self.groups, which)
        if entry is None:
            return
        await self.delete_group(which)
        await self.create_group(entry.name, members)
