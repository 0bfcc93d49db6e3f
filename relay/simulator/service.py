"""From a request to an answer: the order in which TFE looks at a request, and the faults.

The order is a choice where the contract is silent: log and rate limit at arrival, then the fault
script, the thinking time, the checks of the surface (token, pause, size, media type), the call
itself. Knows no sockets: a transport calls `arrive` with the head and `respond` with the whole.
What the SCIM endpoints and the admin API do differently is their `Surface`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from relay.simulator.errors import ScimError
from relay.simulator.faults import Fault, FaultKind, Rule
from relay.simulator.reply import Ending, Reply
from relay.simulator.scim import ScimSurface

if TYPE_CHECKING:
    from relay.simulator.log import Arrival
    from relay.simulator.tfe import Tfe

__all__ = ["Ending", "Reply", "Service", "Surface", "Ticket"]

_PROXY_PAGE: Final = b"<html><body><h1>%d</h1></body></html>"


class Surface(Protocol):
    """One family of endpoints: its limits, its checks, its calls and the form of its answers."""

    def admit(self, arrival: Arrival) -> None:
        """Count a request at its arrival; raises `ScimError` 429."""
        ...

    def check(self, arrival: Arrival) -> None:
        """Who may call, and what may be sent at all; raises `ScimError`."""
        ...

    def perform(self, arrival: Arrival, stale: int) -> Reply:
        """Do what a request asks; a read from `stale` writes ago. Raises `ScimError`."""
        ...

    def refusal(self, error: ScimError) -> Reply:
        """A refusal in the surface's own form."""
        ...

    def dress(self, arrival: Arrival, reply: Reply) -> Reply:
        """The answer with the headers every answer of this surface has."""
        ...


_RESET: Final = Reply(0, ending=Ending.RESET)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request whose head has arrived; `refusal` if it was over the rate limit."""

    serial: int
    refusal: ScimError | None


class Service:
    """Answers requests as TFE would, or as the fault script says.

    Args:
        tfe: the stand-in.
        surface: the endpoints answered for; None for SCIM's.
    """

    def __init__(self, tfe: Tfe, surface: Surface | None = None) -> None:
        self._tfe = tfe
        self._surface = surface or ScimSurface(tfe)

    async def exchange(self, arrival: Arrival) -> Reply:
        """Answer a request that is there whole: for transports in memory."""
        return await self.respond(self.arrive(arrival), arrival)

    def arrive(self, arrival: Arrival) -> Ticket:
        """The head of a request is there: enter it in the log, count it."""
        serial = self._tfe.log.arrive(arrival)
        try:
            self._surface.admit(arrival)
        except ScimError as refusal:
            return Ticket(serial, refusal)
        return Ticket(serial, None)

    async def respond(self, ticket: Ticket, arrival: Arrival) -> Reply:
        """The answer to a request whose body is there too."""
        self._tfe.log.read_body(ticket.serial, arrival.body)
        if ticket.refusal is not None:
            reply = self._surface.refusal(ticket.refusal)
        else:
            reply = await self._answer(ticket, arrival)
        reply = self._surface.dress(arrival, reply)
        shown = 0 if reply.ending is Ending.RESET else reply.status
        self._tfe.log.finish(ticket.serial, shown)
        return reply

    async def _answer(self, ticket: Ticket, arrival: Arrival) -> Reply:
        rule = self._tfe.faults.claim(arrival)
        await self._think()
        if rule is None:
            return self._execute(ticket, arrival)
        self._tfe.log.meet(ticket.serial, rule.fault.kind)
        return await self._misbehave(rule, ticket, arrival)

    async def _misbehave(self, rule: Rule, ticket: Ticket, arrival: Arrival) -> Reply:
        match rule.fault.kind:
            case FaultKind.STATUS:
                return self._faulty_status(rule.fault)
            case FaultKind.RESET_BEFORE:
                return _RESET
            case FaultKind.STALE:
                return self._execute(ticket, arrival, stale=rule.fault.writes)
            case FaultKind.SLOW_BEFORE:
                await rule.wait()
                return self._execute(ticket, arrival)
        reply = self._execute(ticket, arrival)
        if rule.fault.kind is FaultKind.SLOW_AFTER:
            await rule.wait()
            return reply
        return self._spoilt(rule.fault, reply)

    async def _think(self) -> None:
        latency = self._tfe.latency
        if latency.high_ms > 0:
            await asyncio.sleep(self._tfe.rng.uniform(latency.low_ms, latency.high_ms) / 1000)

    def _execute(self, ticket: Ticket, arrival: Arrival, stale: int = 0) -> Reply:
        try:
            self._surface.check(arrival)
            self._tfe.log.execute(ticket.serial)
            return self._surface.perform(arrival, stale if arrival.method == "GET" else 0)
        except ScimError as error:
            return self._surface.refusal(error)

    def _spoilt(self, fault: Fault, reply: Reply) -> Reply:
        """What is left of the true answer after a fault that strikes behind the effect."""
        match fault.kind:
            case FaultKind.STATUS_AFTER:
                return self._faulty_status(fault)
            case FaultKind.CUT:
                return replace(reply, ending=Ending.CUT)
            case FaultKind.GARBAGE:
                return replace(reply, body=reply.body[: len(reply.body) // 2])
            case _:
                return _RESET

    def _faulty_status(self, fault: Fault) -> Reply:
        headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
        if fault.detail is not None:
            error = ScimError(fault.status, fault.detail, fault.scim_type, headers)
            return self._surface.refusal(error)
        page = _PROXY_PAGE % fault.status
        return Reply(fault.status, page, {**headers, "Content-Type": "text/html"})
