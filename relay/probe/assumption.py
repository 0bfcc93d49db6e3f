"""What an assumption is, and what trying it showed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from relay.probe.session import Session


class Verdict(StrEnum):
    """What a trial says of an assumption."""

    HOLDS = "holds"
    """TFE does what the contract says."""
    DIFFERS = "differs"
    """It does something else: the relay would be refused, or would believe what is not so."""
    NOTED = "noted"
    """The contract is silent and the relay is right either way."""
    UNKNOWN = "unknown"
    """It could not be told here."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one trial showed.

    Attributes:
        verdict: whether the assumption holds.
        what: TFE's answer, in a few words.
        limits: numbers of `TargetProfile` that were measured, by their names there.
        forms: which of several forms TFE takes, by the form's name: `taken`, `refused`, or what
            it did instead.
    """

    verdict: Verdict
    what: str
    limits: Mapping[str, int] = field(default_factory=dict)
    forms: Mapping[str, str] = field(default_factory=dict)


Trial: TypeAlias = "Callable[[Session], Awaitable[Seen]]"
"""One trial against a live target."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """One sentence of the contract (`tfe-scim-contract.md`), and how to try it.

    Attributes:
        name: short and stable, for scripts: `users.duplicate-name`.
        says: the sentence.
        trial: how it is tried.
        asks: the option without which it is left out: `members` costs minutes. None: always tried.
    """

    name: str
    says: str
    trial: Trial
    asks: str | None = None


def judged(holds: bool, what: str) -> Seen:
    """The verdict on a sentence that the contract is clear about."""
    return Seen(Verdict.HOLDS if holds else Verdict.DIFFERS, what)
