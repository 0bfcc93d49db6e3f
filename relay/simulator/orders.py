"""What the control API's POSTs do: each from a JSON body to a JSON answer.

A body is read into the dataclass it means, strictly: names, types, nothing unknown.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from relay.simulator.behaviour import Latency
from relay.simulator.errors import ScimError, bad_value
from relay.simulator.faults import Fault, Match
from relay.simulator.seed import sow

if TYPE_CHECKING:
    from relay.rules.types import Json, JsonObject
    from relay.simulator.faults import Rule
    from relay.simulator.tfe import Tfe

Shape = TypeVar("Shape")


class TokenAction(StrEnum):
    """What can be done to tokens."""

    ROTATE = "rotate"  # a new one, the old ones end
    ADD = "add"  # a new one, the old ones stay
    REVOKE = "revoke"  # one ends, or all


@dataclass(frozen=True, slots=True)
class TokenOrder:
    """The body of `POST token`.

    Attributes:
        action: what is done.
        token: the token to introduce or to revoke; None mints one, or revokes all.
        lifetime_s: when a token that is added ends, in seconds from now; None: never.
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
    _read(Nothing, body)
    tfe.pause()
    return tfe.state()


def resume(tfe: Tfe, body: JsonObject) -> Json:
    """End of the pause."""
    _read(Nothing, body)
    tfe.resume()
    return tfe.state()


def disable(tfe: Tfe, body: JsonObject) -> Json:
    """SCIM off; everything is deleted."""
    _read(Nothing, body)
    tfe.disable()
    return tfe.state()


def enable(tfe: Tfe, body: JsonObject) -> Json:
    """SCIM on again; answers with the new token."""
    return {"token": tfe.enable(_read(NewToken, body).token)}


def wipe(tfe: Tfe, body: JsonObject) -> Json:
    """Resources go, tokens stay."""
    _read(Nothing, body)
    tfe.wipe()
    return tfe.state()


def token(tfe: Tfe, body: JsonObject) -> Json:
    """Rotate, add or revoke; answers with the new token, or with the state."""
    order = _read(TokenOrder, body)
    match order.action:
        case TokenAction.ROTATE:
            return {"token": tfe.rotate_token(order.token)}
        case TokenAction.ADD:
            return {"token": tfe.access.issue(order.token, order.lifetime_s)}
        case TokenAction.REVOKE if order.token is not None:
            tfe.access.revoke(order.token)
        case TokenAction.REVOKE:
            tfe.access.revoke_all()
    return tfe.state()


def latency(tfe: Tfe, body: JsonObject) -> Json:
    """Thinking time, `low_ms` to `high_ms`; one alone is both."""
    low, high = body.get("low_ms"), body.get("high_ms")
    whole: JsonObject = {**body, "low_ms": high if low is None else low}
    wanted = _read(Latency, {**whole, "high_ms": low if high is None else high} if body else {})
    if wanted.low_ms > wanted.high_ms:
        raise bad_value("low_ms is above high_ms")
    tfe.think(wanted)
    return tfe.state()


def limit(tfe: Tfe, body: JsonObject) -> Json:
    """The rate limit; keys left out stay as they are."""
    tfe.limit(_changed(tfe.limiter.limit, body))
    return tfe.state()


def flags(tfe: Tfe, body: JsonObject) -> Json:
    """Limits and switches; keys left out stay as they are."""
    tfe.behave(_changed(tfe.behaviour, body))
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
    match = _read(Match, raw.get("match", {}))
    for pattern in (match.path, match.body):
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise bad_value(f"cannot use the pattern {pattern!r}: {error}") from error
    return match, _read(Fault, raw.get("action", {}))


def _rule_json(rule: Rule) -> JsonObject:
    return {
        "id": rule.ident,
        "match": asdict(rule.match),
        "action": asdict(rule.fault),
        "seen": rule.seen,
        "met": rule.met,
    }


def _changed(current: Shape, body: JsonObject) -> Shape:
    """A copy of a dataclass with the keys of a body replaced."""
    names = [field.name for field in fields(current)]  # type: ignore[arg-type]  # a dataclass
    whole = {name: getattr(current, name) for name in names}
    for name, value in whole.items():
        if isinstance(value, frozenset):
            whole[name] = sorted(value)
    return _read(type(current), {**whole, **body})


def _read(shape: type[Shape], body: Json) -> Shape:
    """The body as an instance of a dataclass; 400 naming the key that is wrong."""
    if not isinstance(body, dict):
        raise bad_value("the body is not a JSON object")
    known = {field.name for field in fields(shape)}  # type: ignore[arg-type]  # a dataclass
    for name, value in body.items():
        if name not in known:
            raise bad_value(f"unknown key {name!r}; known: {', '.join(sorted(known)) or 'none'}")
        if isinstance(value, int | float) and value < 0:
            raise bad_value(f"{name} must not be negative")
    try:
        return TypeAdapter(shape).validate_json(orjson.dumps(body), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ScimError(400, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
