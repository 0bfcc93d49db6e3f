"""The fault script: which requests go wrong, and how.

A rule matches requests, lets some pass first, then acts a number of times. The first rule that
acts on a request is the only one that does. The kinds are those of `guarantees.md` I5: each leaves
a client in another kind of ignorance.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relay.simulator.log import Arrival


class FaultKind(StrEnum):
    """What happens to a request."""

    STATUS = "status"  # refused with a status, without effect
    STATUS_AFTER = "status-after"  # has its effect, is answered with a status (502 of a proxy)
    RESET_BEFORE = "reset-before"  # no effect, the connection is reset
    RESET_AFTER = "reset-after"  # has its effect, the connection is reset
    CUT = "cut"  # has its effect; half of the answer's body, then a reset
    GARBAGE = "garbage"  # has its effect; a whole HTTP answer with half of its JSON
    SLOW_BEFORE = "slow-before"  # waits, then has its effect even if the client has gone
    SLOW_AFTER = "slow-after"  # has its effect, waits, then answers
    STALE = "stale"  # a read is answered from some writes ago


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which requests a rule is about; None matches all.

    Attributes:
        method: `POST`.
        path: a regular expression found in the path behind the base path: `^/Users$`.
        body: a regular expression found in the body.
        skip: so many matching requests pass unharmed first.
        count: then so many are met; None for all.
    """

    method: str | None = None
    path: str | None = None
    body: str | None = None
    skip: int = 0
    count: int | None = 1

    def fits(self, arrival: Arrival) -> bool:
        """Whether a request is one of those."""
        return (
            (self.method is None or self.method.upper() == arrival.method)
            and (self.path is None or re.search(self.path, arrival.path) is not None)
            and (
                self.body is None
                or re.search(self.body, arrival.body.decode("utf-8", "replace")) is not None
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What a rule does.

    Attributes:
        kind: which fault.
        status: of the answer, for `STATUS` and `STATUS_AFTER`.
        retry_after: the `Retry-After` header as it stands, or None: seconds, a date, nonsense.
        detail: the SCIM error's words; None answers a proxy's page instead of a SCIM error.
        scim_type: the SCIM error's type, or None.
        delay_s: for `SLOW_*`: how long; None holds the request until the rule is released.
        writes: for `STALE`: how many writes ago.
    """

    kind: FaultKind
    status: int = 503
    retry_after: str | None = None
    detail: str | None = None
    scim_type: str | None = None
    delay_s: float | None = None
    writes: int = 1


class Rule:
    """One line of the script, with its progress."""

    def __init__(self, ident: int, match: Match, fault: Fault) -> None:
        self.ident = ident
        self.match = match
        self.fault = fault
        self.seen = 0
        self.met = 0
        self._released = asyncio.Event()

    def claim(self, arrival: Arrival) -> bool:
        """Whether it acts on this request; counts it if it is one of its own."""
        if not self.match.fits(arrival):
            return False
        self.seen += 1
        acts = self.seen > self.match.skip and (
            self.match.count is None or self.met < self.match.count
        )
        self.met += acts
        return acts

    def release(self) -> None:
        """Let go of every request it holds, now and later."""
        self._released.set()

    async def wait(self) -> None:
        """The delay of `SLOW_*`: over when it has passed or the rule is released."""
        try:
            async with asyncio.timeout(self.fault.delay_s):
                await self._released.wait()
        except TimeoutError:
            return


class FaultScript:
    """All rules in order."""

    def __init__(self) -> None:
        self._rules: dict[int, Rule] = {}
        self._serial = 0

    def rules(self) -> list[Rule]:
        """The rules, spent ones included."""
        return list(self._rules.values())

    def add(self, fault: Fault, match: Match | None = None) -> Rule:
        """One more rule, after those there are; by default for the next request."""
        self._serial += 1
        rule = Rule(self._serial, match or Match(), fault)
        self._rules[rule.ident] = rule
        return rule

    def get(self, ident: int) -> Rule | None:
        """The rule with this number, or None."""
        return self._rules.get(ident)

    def remove(self, ident: int) -> None:
        """Take a rule out and release what it holds; no error if there is none such."""
        rule = self._rules.pop(ident, None)
        if rule is not None:
            rule.release()

    def clear(self) -> None:
        """Take every rule out and release what they hold."""
        for ident in list(self._rules):
            self.remove(ident)

    def claim(self, arrival: Arrival) -> Rule | None:
        """The rule that acts on this request, or None."""
        return next((rule for rule in self._rules.values() if rule.claim(arrival)), None)
