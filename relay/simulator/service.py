"""From a request to an answer: the order in which TFE looks at a request, and the faults.

The order is a choice where the contract is silent: log and rate limit at arrival, then the fault
script, the thinking time, the token (401), pause (403), size (413), media type (415), the call
itself. Knows no sockets: a transport calls `arrive` with the head and `respond` with the whole.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

import orjson

from relay.rules.contract import SCIM_MEDIA_TYPE
from relay.simulator.endpoints import Outcome, perform
from relay.simulator.errors import ScimError
from relay.simulator.faults import Fault, FaultKind, Rule
from relay.simulator.wire import error_json

if TYPE_CHECKING:
    from relay.rules.types import JsonObject
    from relay.simulator.log import Arrival
    from relay.simulator.tfe import Tfe

MEDIA_TYPES: Final = frozenset({"application/json", SCIM_MEDIA_TYPE})
WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_PROXY_PAGE: Final = b"<html><body><h1>%d</h1></body></html>"


class Ending(Enum):
    """What becomes of the connection."""

    WHOLE = auto()  # the answer is sent as it is
    RESET = auto()  # no byte of it is sent, the connection is reset
    CUT = auto()  # its head and half of its body are sent, then a reset


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer for a transport to send."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    ending: Ending = Ending.WHOLE


_RESET: Final = Reply(0, ending=Ending.RESET)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request whose head has arrived; `refusal` if it was over the rate limit."""

    serial: int
    refusal: ScimError | None


class Service:
    """Answers requests as TFE would, or as the fault script says."""

    def __init__(self, tfe: Tfe) -> None:
        self._tfe = tfe

    async def exchange(self, arrival: Arrival) -> Reply:
        """Answer a request that is there whole: for transports in memory."""
        return await self.respond(self.arrive(arrival), arrival)

    def arrive(self, arrival: Arrival) -> Ticket:
        """The head of a request is there: enter it in the log, count it."""
        serial = self._tfe.log.arrive(arrival)
        try:
            if arrival.is_provisioning:
                self._tfe.limiter.admit()
        except ScimError as refusal:
            return Ticket(serial, refusal)
        return Ticket(serial, None)

    async def respond(self, ticket: Ticket, arrival: Arrival) -> Reply:
        """The answer to a request whose body is there too."""
        self._tfe.log.read_body(ticket.serial, arrival.body)
        if ticket.refusal is not None:
            reply = _refusal(ticket.refusal)
        else:
            reply = await self._answer(ticket, arrival)
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
                return _faulty_status(rule.fault)
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
        return _spoilt(rule.fault, reply)

    async def _think(self) -> None:
        latency = self._tfe.latency
        if latency.high_ms > 0:
            await asyncio.sleep(self._tfe.rng.uniform(latency.low_ms, latency.high_ms) / 1000)

    def _execute(self, ticket: Ticket, arrival: Arrival, stale: int = 0) -> Reply:
        try:
            self._check(arrival)
            directory = self._tfe.directory
            if stale and arrival.method == "GET":
                directory = directory.past(stale)
            self._tfe.log.execute(ticket.serial)
            status, body = perform(directory, arrival)
        except ScimError as error:
            return _refusal(error)
        return _success((status, body))

    def _check(self, arrival: Arrival) -> None:
        self._tfe.access.check_token(arrival.authorization)
        if arrival.is_provisioning:
            self._tfe.access.check_open()
        if arrival.method not in WITH_BODY:
            return
        limit = self._tfe.behaviour.max_body_bytes
        if len(arrival.body) > limit:
            raise ScimError(413, f"the body is larger than {limit} bytes")
        if arrival.content_type not in MEDIA_TYPES:
            raise ScimError(415, f"the body must be {SCIM_MEDIA_TYPE} or application/json")


def _spoilt(fault: Fault, reply: Reply) -> Reply:
    """What is left of the true answer after a fault that strikes behind the effect."""
    match fault.kind:
        case FaultKind.STATUS_AFTER:
            return _faulty_status(fault)
        case FaultKind.CUT:
            return replace(reply, ending=Ending.CUT)
        case FaultKind.GARBAGE:
            return replace(reply, body=reply.body[: len(reply.body) // 2])
        case _:
            return _RESET


def _success(outcome: Outcome) -> Reply:
    status, body = outcome
    return Reply(status) if body is None else _scim(status, body, {})


def _refusal(error: ScimError) -> Reply:
    return _scim(error.status, error_json(error), error.headers)


def _faulty_status(fault: Fault) -> Reply:
    headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
    if fault.detail is not None:
        return _refusal(ScimError(fault.status, fault.detail, fault.scim_type, headers))
    page = _PROXY_PAGE % fault.status
    return Reply(fault.status, page, {**headers, "Content-Type": "text/html"})


def _scim(status: int, body: JsonObject, headers: dict[str, str]) -> Reply:
    return Reply(status, orjson.dumps(body), {**headers, "Content-Type": SCIM_MEDIA_TYPE})
