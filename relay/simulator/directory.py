"""TFE's SCIM state: users, groups, memberships. Every method applies whole or not at all.

It knows nothing of HTTP or JSON and keeps the rules of uniqueness (case-insensitive names), the
cascade of a user's deletion, and enough history to answer as it was some writes ago.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from relay.simulator.accounts import Accounts
from relay.simulator.errors import ScimError, not_found, taken
from relay.simulator.records import Group, GroupFields, Stamp, User, UserFields
from relay.simulator.roster import Roster
from relay.simulator.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from relay.clock import Clock, Ids
    from relay.simulator.behaviour import Behaviour

HISTORY_WRITES: Final = 1_000
"""How many writes back `past` can look."""

Step: TypeAlias = tuple[User | Group | None, User | Group | None]
"""What a write does to one resource: `(before, after)`, None for absent."""

Observer: TypeAlias = "Callable[[Group | None, Group | None], None]"
"""Is told each group that changed, `(before, after)`, once the whole write is in."""


class Directory:
    """All SCIM resources of one TFE."""

    def __init__(self, clock: Clock, ids: Ids, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.users: Table[User] = Table()
        self.groups: Table[Group] = Table()
        self.accounts = Accounts()
        self._clock = clock
        self._ids = ids
        self._serial = 0
        self._groups_of: dict[str, dict[str, None]] = {}
        self._history: deque[list[Step]] = deque(maxlen=HISTORY_WRITES)
        self._observers: list[Observer] = []

    def observe(self, observer: Observer) -> None:
        """Tell it of every change of a group from now on: linked teams follow their groups."""
        self._observers.append(observer)

    def user(self, ident: str) -> User:
        """The user with this id; 404 if there is none."""
        found = self.users.get(ident)
        if found is None:
            raise not_found("User", ident)
        return found

    def group(self, ident: str) -> Group:
        """The group with this id; 404 if there is none."""
        found = self.groups.get(ident)
        if found is None:
            raise not_found("Group", ident)
        return found

    def roster(self, group: Group | None = None) -> Roster:
        """A copy of the group's members to edit; empty for a group to be created."""
        members = group.fields.members if group is not None else {}
        return Roster(members, self.users.__contains__, self.behaviour.member_limit)

    def create_user(self, fields: UserFields, ident: str | None = None) -> User:
        """A new user; 409 if its name is taken. The TFE user of its address is linked."""
        self._check_user(fields, None)
        stamp = self._new_stamp(ident)
        account = self.accounts.link(fields.email, stamp.id, active=fields.active)
        user = User(stamp, fields, account)
        self._commit([(None, user)])
        return user

    def update_user(self, user: User, fields: UserFields) -> User:
        """The user with new fields; 409 if its new name is taken."""
        if fields == user.fields:
            return user
        self._check_user(fields, user.stamp.id)
        after = replace(user, fields=fields, stamp=self._touched(user.stamp))
        self.accounts.follow(user.account, fields.email, active=fields.active)
        self._commit([(user, after)])
        return after

    def delete_user(self, ident: str) -> None:
        """The identity and its memberships go, the TFE user is suspended; 404 if missing."""
        user = self.user(ident)
        write: list[Step] = [(user, None)]
        for group_id in self._groups_of.pop(ident, {}):
            group = self.group(group_id)
            rest = {member: None for member in group.fields.members if member != ident}
            write.append((group, self._changed(group, replace(group.fields, members=rest))))
        self.accounts.release(user.account)
        self._commit(write)

    def create_group(self, fields: GroupFields, ident: str | None = None) -> Group:
        """A new group; 409 if its name is taken or reserved."""
        self._check_group(fields, None)
        group = Group(self._new_stamp(ident), fields)
        self._commit([(None, group)])
        return group

    def update_group(self, group: Group, fields: GroupFields) -> Group:
        """The group with new fields; 409 if its new name is taken or reserved."""
        if fields == group.fields:
            return group
        self._check_group(fields, group.stamp.id)
        after = self._changed(group, fields)
        self._commit([(group, after)])
        return after

    def delete_group(self, ident: str) -> None:
        """The group goes if it exists; that it does not is no error (contract)."""
        group = self.groups.get(ident)
        if group is not None:
            self._commit([(group, None)])

    def wipe(self) -> None:
        """Every SCIM identity and group goes, as when SCIM is disabled; TFE's users stay."""
        for user in self.users:
            self.accounts.release(user.account, suspend=False)
        gone = list(self.groups)
        self.users = Table()
        self.groups = Table()
        self._groups_of = {}
        self._history.clear()
        self._tell([(group, None) for group in gone])

    def past(self, writes: int) -> Directory:
        """A copy as it was that many writes ago, for stale reads; at most `HISTORY_WRITES`."""
        users: dict[str, User] = {user.stamp.id: user for user in self.users}
        groups: dict[str, Group] = {group.stamp.id: group for group in self.groups}
        for write in list(self._history)[::-1][:writes]:
            for before, after in write:
                _undo(users, groups, before, after)
        view = Directory(self._clock, self._ids, self.behaviour)
        view.users = Table(sorted(users.values(), key=lambda user: user.stamp.serial))
        view.groups = Table(sorted(groups.values(), key=lambda group: group.stamp.serial))
        return view

    def _check_user(self, fields: UserFields, own: str | None) -> None:
        if self.behaviour.unique and any(
            other.stamp.id != own for other in self.users.named(fields.user_name)
        ):
            raise taken("userName", fields.user_name)
        if self.behaviour.unique_email and any(
            other.stamp.id != own and other.fields.email.casefold() == fields.email.casefold()
            for other in self.users
        ):
            raise taken("emails", fields.email)

    def _check_group(self, fields: GroupFields, own: str | None) -> None:
        if fields.display_name.casefold() in self.behaviour.reserved_group_names:
            raise ScimError(409, f"displayName {fields.display_name!r} is reserved", "uniqueness")
        if self.behaviour.unique and any(
            other.stamp.id != own for other in self.groups.named(fields.display_name)
        ):
            raise taken("displayName", fields.display_name)

    def _new_stamp(self, ident: str | None) -> Stamp:
        self._serial += 1
        now = self._clock.wall()
        return Stamp(ident or self._ids.new_id(), self._serial, now, now)

    def _touched(self, stamp: Stamp) -> Stamp:
        return replace(stamp, modified=self._clock.wall())

    def _changed(self, group: Group, fields: GroupFields) -> Group:
        return replace(group, fields=fields, stamp=self._touched(group.stamp))

    def _commit(self, write: list[Step]) -> None:
        self._history.append(write)
        for before, after in write:
            self._apply(before, after)
        self._tell(write)

    def _tell(self, write: Sequence[Step]) -> None:
        for before, after in write:
            if isinstance(before, User) or isinstance(after, User):
                continue
            for observer in self._observers:
                observer(before, after)

    def _apply(self, before: User | Group | None, after: User | Group | None) -> None:
        if isinstance(after, User):
            self.users.put(after)
        elif isinstance(after, Group):
            self.groups.put(after)
        elif isinstance(before, User):
            self.users.drop(before.stamp.id)
        elif isinstance(before, Group):
            self.groups.drop(before.stamp.id)
        self._index_members(before, after)

    def _index_members(self, before: User | Group | None, after: User | Group | None) -> None:
        """Keep `_groups_of`, which makes a user's deletion cheap among thousands of groups."""
        old = before.fields.members.keys() if isinstance(before, Group) else frozenset[str]()
        new = after.fields.members.keys() if isinstance(after, Group) else frozenset[str]()
        for ident in old - new:
            self._groups_of.get(ident, {}).pop(_id_of(before), None)
        for ident in new - old:
            self._groups_of.setdefault(ident, {})[_id_of(after)] = None


def _id_of(resource: User | Group | None) -> str:
    assert resource is not None
    return resource.stamp.id


def _undo(
    users: dict[str, User],
    groups: dict[str, Group],
    before: User | Group | None,
    after: User | Group | None,
) -> None:
    if isinstance(before, User):
        users[before.stamp.id] = before
    elif isinstance(before, Group):
        groups[before.stamp.id] = before
    elif isinstance(after, User):
        del users[after.stamp.id]
    elif isinstance(after, Group):
        del groups[after.stamp.id]
