"""What the control API's POSTs do: each from a JSON body to a JSON answer.

A body is read into the dataclass it means (see `shapes`). What concerns TFE's own side is in
`relay.simulator.admin.orders`.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from relay.simulator.behaviour import Latency
from relay.simulator.errors import bad_value, not_found
from relay.simulator.faults import Fault, Match
from relay.simulator.seed import sow
from relay.simulator.shapes import changed, read

if TYPE_CHECKING:
    from relay.rules.types import Json, JsonObject
    from relay.simulator.faults import Rule
    from relay.simulator.tfe import Tfe


class TokenAction(StrEnum):
    """What can be done to tokens."""

    ROTATE = "rotate"  # a new one, the old ones end
    ADD = "add"  # a new one, the old ones stay
    EXPIRE = "expire"  # the end of one that is there is moved
    REVOKE = "revoke"  # one ends, or all


@dataclass(frozen=True, slots=True)
class TokenOrder:
    """The body of `POST token`.

    Attributes:
        action: what is done.
        token: the token to introduce, to revoke or to expire; None mints one, revokes all, or
            means the newest.
        lifetime_s: when a token that is added or expired ends, in seconds from now; None: in 365
            days, or at once.
    """

    action: TokenAction = TokenAction.ROTATE
    token: str | None = None
    lifetime_s: float | None = None


@dataclass(frozen=True, slots=True)
class Nothing:
    """An empty body."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """The body of `POST enable`; None mints one."""

    token: str | None = None


def pause(tfe: Tfe, body: JsonObject) -> Json:
    """Site-level pause."""
    read(Nothing, body)
    tfe.pause()
    return tfe.state()


def resume(tfe: Tfe, body: JsonObject) -> Json:
    """End of the pause."""
    read(Nothing, body)
    tfe.resume()
    return tfe.state()


def disable(tfe: Tfe, body: JsonObject) -> Json:
    """SCIM off; everything is deleted."""
    read(Nothing, body)
    tfe.disable()
    return tfe.state()


def enable(tfe: Tfe, body: JsonObject) -> Json:
    """SCIM on again; answers with the new token."""
    return {"token": tfe.enable(read(NewToken, body).token)}


def wipe(tfe: Tfe, body: JsonObject) -> Json:
    """Resources go, tokens stay."""
    read(Nothing, body)
    tfe.wipe()
    return tfe.state()


def token(tfe: Tfe, body: JsonObject) -> Json:
    """Rotate, add, expire or revoke; answers with the new token, or with the state."""
    order = read(TokenOrder, body)
    match order.action:
        case TokenAction.ROTATE:
            return {"token": tfe.rotate_token(order.token)}
        case TokenAction.ADD:
            return {"token": tfe.access.issue(order.token, order.lifetime_s)}
        case TokenAction.EXPIRE:
            _expire(tfe, order)
        case TokenAction.REVOKE if order.token is not None:
            tfe.access.revoke(order.token)
        case TokenAction.REVOKE:
            tfe.access.revoke_all()
    return tfe.state()


def _expire(tfe: Tfe, order: TokenOrder) -> None:
    try:
        tfe.access.expire(order.token or tfe.token, order.lifetime_s or 0.0)
    except KeyError as error:
        raise not_found("token", order.token or "the newest") from error


def latency(tfe: Tfe, body: JsonObject) -> Json:
    """Thinking time, `low_ms` to `high_ms`; one alone is both."""
    low, high = body.get("low_ms"), body.get("high_ms")
    whole: JsonObject = {**body, "low_ms": high if low is None else low}
    wanted = read(Latency, {**whole, "high_ms": low if high is None else high} if body else {})
    if wanted.low_ms > wanted.high_ms:
        raise bad_value("low_ms is above high_ms")
    tfe.think(wanted)
    return tfe.state()


def limit(tfe: Tfe, body: JsonObject) -> Json:
    """The rate limit; keys left out stay as they are."""
    tfe.limit(changed(tfe.limiter.limit, body))
    return tfe.state()


def flags(tfe: Tfe, body: JsonObject) -> Json:
    """Limits and switches; keys left out stay as they are."""
    tfe.behave(changed(tfe.behaviour, body))
    return tfe.state()


def add_fault(tfe: Tfe, body: JsonObject) -> Json:
    """One rule `{"match": {...}, "action": {"kind": ...}}`, or a list of them in `rules`."""
    listed = body.get("rules", [body])
    if not isinstance(listed, list) or ("rules" in body and len(body) > 1):
        raise bad_value("rules must be an array, and stand alone")
    for match, fault in [_rule(raw) for raw in listed]:
        tfe.faults.add(fault, match)
    return faults_json(tfe)


def seed(tfe: Tfe, body: JsonObject) -> Json:
    """Fill the directory at once, past the rate limit (see `relay.simulator.seed`)."""
    return sow(tfe.directory, body)


def faults_json(tfe: Tfe) -> JsonObject:
    """The fault script with its progress."""
    return {"rules": [_rule_json(rule) for rule in tfe.faults.rules()]}


def _rule(raw: Json) -> tuple[Match, Fault]:
    if not isinstance(raw, dict) or not raw.keys() <= {"match", "action"}:
        raise bad_value("a rule is an object of match and action")
    match = read(Match, raw.get("match", {}))
    for pattern in (match.path, match.body):
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise bad_value(f"cannot use the pattern {pattern!r}: {error}") from error
    return match, read(Fault, raw.get("action", {}))


def _rule_json(rule: Rule) -> JsonObject:
    return {
        "id": rule.ident,
        "match": asdict(rule.match),
        "action": asdict(rule.fault),
        "seen": rule.seen,
        "met": rule.met,
    }
