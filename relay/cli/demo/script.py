"""What the scripted identity provider wants, step by step, and the state it adds up to.

Pure: a seed gives the same people, teams and steps every time. It knows nothing of SCIM; `forms`
has the wire forms, `idp` sends them.
"""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

BATCH: Final = 15
"""Members the IdP puts in one request, as Entra batches them."""

_FIRST: Final = ("ada", "bela", "chidi", "dana", "eero", "fatma", "goran", "hana", "ivo", "june")
_LAST: Final = ("abara", "brandt", "cole", "diaz", "eklund", "faber", "gupta", "haas", "ito")
_TEAMS: Final = ("engineering", "operations", "security", "finance", "research", "support")


@dataclass(frozen=True, slots=True)
class Person:
    """An account as the IdP wants it.

    Attributes:
        key: its object id, `externalId` on the wire; never changes.
        user_name: its login.
        email: its address.
        active: False once offboarded.
    """

    key: str
    user_name: str
    email: str
    active: bool = True


@dataclass(frozen=True, slots=True)
class Team:
    """A group as the IdP wants it; `key` as for a person."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class Arrive:
    """Look the person up, create them if they are not there."""

    person: Person


@dataclass(frozen=True, slots=True)
class Found:
    """Look the team up, create it without members if it is not there."""

    team: Team


@dataclass(frozen=True, slots=True)
class Join:
    """Add people to a team, at most `BATCH`."""

    team: str
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Leave:
    """Remove people from a team."""

    team: str
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rename:
    """Give a person another `userName`."""

    person: str
    user_name: str


@dataclass(frozen=True, slots=True)
class Readdress:
    """Give a person another work address."""

    person: str
    email: str


@dataclass(frozen=True, slots=True)
class Retitle:
    """Give a team another name."""

    team: str
    name: str


@dataclass(frozen=True, slots=True)
class Offboard:
    """Deactivate a person."""

    person: str


Step: TypeAlias = Arrive | Found | Join | Leave | Rename | Readdress | Retitle | Offboard
Stage: TypeAlias = tuple[Step, ...]
"""Steps that may go side by side; the next stage begins when all of them were answered."""


@dataclass(slots=True)
class Wanted:
    """The state the IdP wants TFE to be in; grows with every step, whatever the answers are."""

    people: dict[str, Person] = field(default_factory=dict)
    teams: dict[str, Team] = field(default_factory=dict)
    members: set[tuple[str, str]] = field(default_factory=set)

    def take(self, step: Step) -> None:
        """Move the state by one step."""
        match step:
            case Arrive(person):
                self.people[person.key] = person
            case Found(team):
                self.teams[team.key] = team
            case Join(team, people):
                self.members |= {(team, person) for person in people}
            case Leave(team, people):
                self.members -= {(team, person) for person in people}
            case Rename(person, user_name):
                self.people[person] = replace(self.people[person], user_name=user_name)
            case Readdress(person, email):
                self.people[person] = replace(self.people[person], email=email)
            case Retitle(team, name):
                self.teams[team] = replace(self.teams[team], name=name)
            case Offboard(person):
                self.people[person] = replace(self.people[person], active=False)


@dataclass(frozen=True, slots=True)
class Script:
    """The whole play.

    Attributes:
        present: people who are in TFE before the play begins, and in `staff` there.
        staff: the team that is there before.
        first_cycle: stages while TFE is up.
        during_pause: stages while TFE is paused.
        leaver: the key of the person offboarded last of all.
    """

    present: tuple[Person, ...]
    staff: Team
    first_cycle: tuple[Stage, ...]
    during_pause: tuple[Stage, ...]
    leaver: str

    @property
    def steps(self) -> list[Step]:
        """All steps in their order."""
        return [step for stage in (*self.first_cycle, *self.during_pause) for step in stage]

    @property
    def wanted(self) -> Wanted:
        """The state at the end."""
        state = Wanted(members={(self.staff.key, person.key) for person in self.present})
        for step in self.steps:
            state.take(step)
        return state


def written(users: int, groups: int, seed: int) -> Script:
    """The play for so many users (those present before included) and groups (`staff` not).

    Args:
        users: at least 6.
        groups: at least 1.
        seed: the same seed, the same play.
    """
    chance = random.Random(seed)  # noqa: S311 - a play that can be played again
    people = [_person(chance, number) for number in range(users)]
    present, newcomers = people[: users // 6 + 1], people[users // 6 + 1 :]
    early, late = newcomers[: len(newcomers) // 2], newcomers[len(newcomers) // 2 :]
    staff = Team(_key(chance), "Staff")
    teams = [Team(_key(chance), _team_name(number)) for number in range(groups)]
    rosters = [chance.sample(people, max(2, min(users // 3, 900))) for _ in teams]
    first = (
        tuple(Arrive(person) for person in (*present, *early)),
        tuple(Found(team) for team in (staff, *teams)),
        _joins(teams, rosters, {*present, *early}),
        _corrections([*present, *early], staff),
    )
    return Script(
        present=tuple(present),
        staff=staff,
        first_cycle=first,
        during_pause=(
            tuple(Arrive(person) for person in late),
            (*_joins(teams, rosters, {*late}), *_edits(early, teams)),
            _revocations(present, early, list(zip(teams, rosters, strict=True))),
        ),
        leaver=present[0].key,
    )


def _joins(teams: list[Team], rosters: list[list[Person]], known: set[Person]) -> Stage:
    """The rosters in batches, as far as their people are known."""
    steps: list[Step] = []
    for team, roster in zip(teams, rosters, strict=True):
        keys = tuple(person.key for person in roster if person in known)
        steps += [Join(team.key, keys[at : at + BATCH]) for at in range(0, len(keys), BATCH)]
    return tuple(steps)


def _corrections(people: list[Person], staff: Team) -> Stage:
    """One person in four gets a new address, and somebody leaves the staff."""
    return (
        *(Readdress(person.key, f"new.{person.email}") for person in people[::4]),
        Leave(staff.key, (people[1].key,)),
    )


def _edits(early: list[Person], teams: list[Team]) -> Stage:
    """One person in eight renamed, one team renamed."""
    return (
        *(Rename(person.key, f"new.{person.user_name}") for person in early[::8]),
        Retitle(teams[-1].key, f"{teams[-1].name} (renamed)"),
    )


def _revocations(
    present: list[Person],
    early: list[Person],
    rosters: list[tuple[Team, list[Person]]],
) -> Stage:
    """People leave teams and the company; the leaver is the last step of all."""
    gone = [*present[1:3], *early[2::10]]
    return (
        *(Leave(team.key, (roster[0].key, roster[1].key)) for team, roster in rosters[:3]),
        *(Offboard(person.key) for person in gone),
        Offboard(present[0].key),
    )


def _person(chance: random.Random, number: int) -> Person:
    name = f"{chance.choice(_FIRST)}.{chance.choice(_LAST)}{number}"
    return Person(_key(chance), f"{name}@example.com", f"{name}@mail.example.com")


def _team_name(number: int) -> str:
    return f"{_TEAMS[number % len(_TEAMS)]}-{number + 1}"


def _key(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))
