"""The summary: every figure is counted from the stand-ins' logs and the IdP's answers."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from relay.cli.exits import Exit
from relay.rules.figures import quantile

if TYPE_CHECKING:
    from relay.cli.demo.oracle import Findings
    from relay.cli.demo.sides import Side

MEDIAN: Final = 0.5
WORST: Final = 0.99


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured on one side.

    Attributes:
        name: of the side.
        findings: the comparison at the end.
        sent: requests the IdP sent.
        refused: of these, not answered with success.
        left_out: steps the IdP could not send at all.
        median_s: half of the IdP's requests were answered within it.
        worst_s: 99 of 100 were answered within it.
        arrived: requests for Users and Groups that reached TFE.
        densest: the most of them in any second.
        statuses: TFE's answers to them by status.
        seconds: from the first request to the last effect.
    """

    name: str
    findings: Findings
    sent: int
    refused: int
    left_out: int
    median_s: float
    worst_s: float
    arrived: int
    densest: int
    statuses: dict[int, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """Both sides.

    Attributes:
        relay: the side through the relay.
        straight: the side without.
    """

    relay: Figures
    straight: Figures

    @property
    def exit_code(self) -> Exit:
        """`OK` only if TFE behind the relay holds exactly what the IdP wants."""
        return Exit.OK if self.relay.findings.exact else Exit.TROUBLE

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """The table: a label and a text for each side."""
        columns = zip(_column(self.relay), _column(self.straight), strict=True)
        return [(label, mine, other) for (label, mine), (_, other) in columns]


def measured(side: Side) -> Figures:
    """The figures of a side that has been played."""
    seconds = sorted(answer.seconds for answer in side.idp.answers)
    entries = [entry for entry in side.sim.log.entries() if entry.counted]
    statuses: dict[int, int] = {}
    for entry in entries:
        status = entry.status or 0
        statuses[status] = statuses.get(status, 0) + 1
    return Figures(
        name=side.name,
        findings=side.findings(),
        sent=len(seconds),
        refused=side.idp.refused,
        left_out=side.idp.left_out,
        median_s=quantile(seconds, MEDIAN),
        worst_s=quantile(seconds, WORST),
        arrived=len(entries),
        densest=side.sim.log.max_in_window(),
        statuses=statuses,
        seconds=side.seconds,
    )


def _column(figures: Figures) -> list[tuple[str, str]]:
    found, statuses = figures.findings, figures.statuses
    return [
        ("requests the identity provider sent", str(figures.sent)),
        ("  not answered with success", str(figures.refused)),
        ("  steps left out: no id was given", str(figures.left_out)),
        ("answer time, median", _milliseconds(figures.median_s)),
        ("answer time, 99 of 100", _milliseconds(figures.worst_s)),
        ("requests that reached TFE", str(figures.arrived)),
        ("  most in any second", str(figures.densest)),
        ("  answered 429 (too many)", str(statuses.get(HTTPStatus.TOO_MANY_REQUESTS, 0))),
        ("  answered 403 (paused)", str(statuses.get(HTTPStatus.FORBIDDEN, 0))),
        ("  answered 400 (form not taken)", str(statuses.get(HTTPStatus.BAD_REQUEST, 0))),
        ("users right at TFE", _of(found.wanted.users, found.found.users)),
        ("groups right at TFE", _of(found.wanted.groups, found.found.groups)),
        ("memberships right at TFE", _of(found.wanted.members, found.found.members)),
        ("there, but not wanted (or outdated)", str(len(found.surplus))),
        ("access revoked (or never granted)", f"{found.revoked} of {found.revocations}"),
        ("duration", f"{figures.seconds:.1f} s"),
    ]


def _of(wanted: frozenset[tuple[str | bool | None, ...]], found: frozenset[object]) -> str:
    return f"{len(wanted & found)} of {len(wanted)}"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
