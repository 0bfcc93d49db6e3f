"""Compares what a stand-in holds with what the IdP wants, fact by fact, without the relay's rules.

Resources are told apart by `externalId`, which the IdP set and nobody else knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from relay.cli.demo.script import Leave, Offboard

if TYPE_CHECKING:
    from relay.cli.demo.script import Script, Wanted
    from relay.simulator.directory import Directory

Fact: TypeAlias = tuple[str | bool | None, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """A state as sets: whole users, whole groups without members, and memberships."""

    users: frozenset[Fact]
    groups: frozenset[Fact]
    members: frozenset[Fact]

    @property
    def all(self) -> frozenset[Fact]:
        """Every fact."""
        return self.users | self.groups | self.members


@dataclass(frozen=True, slots=True)
class Findings:
    """What the comparison found.

    Attributes:
        wanted: the facts that should be there.
        found: the facts that are there.
        revocations: how many there are in the play.
        revoked: how many of them are in place: no active user, no membership left.
    """

    wanted: Facts
    found: Facts
    revocations: int
    revoked: int

    @property
    def exact(self) -> bool:
        """Nothing is missing, nothing is wrong, nothing else is there."""
        return self.wanted == self.found

    @property
    def missing(self) -> list[Fact]:
        """Facts that should be there and are not, in a stable order."""
        return sorted(self.wanted.all - self.found.all, key=str)

    @property
    def surplus(self) -> list[Fact]:
        """Facts that are there and should not be, in a stable order."""
        return sorted(self.found.all - self.wanted.all, key=str)


def compare(script: Script, directory: Directory) -> Findings:
    """The end of a play against the stand-in's state."""
    found = held(directory)
    active = {user[1] for user in found.users if user[-1]}
    open_accounts = [
        step for step in script.steps if isinstance(step, Offboard) and step.person in active
    ]
    removed = [
        ("member", step.team, person)
        for step in script.steps
        if isinstance(step, Leave)
        for person in step.people
    ]
    offboarded = sum(isinstance(step, Offboard) for step in script.steps)
    open_memberships = found.members.intersection(removed)
    total = offboarded + len(removed)
    left_open = len(open_accounts) + len(open_memberships)
    return Findings(wanted_facts(script.wanted), found, total, total - left_open)


def wanted_facts(wanted: Wanted) -> Facts:
    """The IdP's state as facts."""
    return Facts(
        frozenset(
            ("user", person.key, person.user_name, person.email, person.active)
            for person in wanted.people.values()
        ),
        frozenset(("group", team.key, team.name) for team in wanted.teams.values()),
        frozenset(("member", team, person) for team, person in wanted.members),
    )


def held(directory: Directory) -> Facts:
    """A stand-in's state as facts."""
    keys = {user.stamp.id: user.fields.external_id for user in directory.users}
    users = (user.fields for user in directory.users)
    return Facts(
        frozenset(
            ("user", each.external_id, each.user_name, each.email, each.active) for each in users
        ),
        frozenset(
            ("group", group.fields.external_id, group.fields.display_name)
            for group in directory.groups
        ),
        frozenset(
            ("member", group.fields.external_id, keys[member])
            for group in directory.groups
            for member in group.fields.members
        ),
    )
