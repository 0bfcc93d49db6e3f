"""Decides what became of one attempt, from what was sent and what came back.

A pure table by status (DESIGN, *Holds* and *what came back*; semantics K1, H4). It says what an
outcome *is*; what follows for the lane, the change and the holds is delivery's and the store's to
decide. Carries D2, D8 and D11 as far as they depend on classification alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from relay.errors import MaybeSent, NotSent
from relay.rules import retry_after
from relay.rules.error_body import clean, detail_of, scim_type_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from relay.rules.planner_types import Request
    from relay.rules.types import Json, JsonObject


class Outcome(StrEnum):
    """What an attempt's result is."""

    DELIVERED = "delivered"  # TFE acknowledged it, or what was to be deleted is gone
    THROTTLED = "throttled"  # TFE asks to come later: 429, 503 with a usable Retry-After
    PAUSED = "paused"  # 403: SCIM is paused or disabled
    TOKEN = "token"  # noqa: S105 - a name, not a secret; 401: expired, revoked, wrong
    DOWN = "down"  # the target, or the way to it, is in trouble; the change is not to blame
    FAILED = "failed"  # 500: the change's fault or the target's, delivery finds out (H4)
    AMBIGUOUS = "ambiguous"  # bytes left, no usable answer: it may or may not have happened
    MISSING = "missing"  # 404: the bound id, or a member, is unknown to TFE (K4)
    CONFLICT = "conflict"  # 409: somebody has the name (K4)
    REFUSED = "refused"  # TFE will never take this request as it is


@dataclass(frozen=True, slots=True)
class Answered:
    """A whole answer of TFE.

    Attributes:
        status: the HTTP status.
        headers: lower-cased names; only those judged here: `retry-after`, `date`.
        body: parsed JSON, the text if it was no JSON, None if it was empty.
        received_at: seconds since the epoch by our wall clock, for a `Retry-After` date where
            TFE sent no `Date`.
    """

    status: int
    headers: Mapping[str, str]
    body: Json
    received_at: float


@dataclass(frozen=True, slots=True)
class Sent:
    """As much of a request as its verdict depends on."""

    method: str
    creates: bool = False

    @classmethod
    def of(cls, request: Request) -> Sent:
        """What the verdict on a planned request depends on."""
        return cls(request.method, request.creates)

    @property
    def safe(self) -> bool:
        """It changes nothing wherever it got (RFC 9110 section 9.2.1)."""
        return self.method in {"GET", "HEAD"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an attempt's result means.

    Attributes:
        outcome: what it is.
        ambiguous: it may have had its effect: every key it touched stays unknown (K1). Never
            for reads.
        status: the HTTP status; None if no answer came.
        detail: TFE's words, or ours if it said none; one line of at most 500 characters.
        scim_type: TFE's `scimType`, or None.
        retry_after_s: for THROTTLED, how long TFE asked to wait; None: start at 1 s and double.
        resource: the object a 2xx carried; never None after a delivered create, and then its
            `id` is a usable one.
    """

    outcome: Outcome
    ambiguous: bool
    status: int | None = None
    detail: str | None = None
    scim_type: str | None = None
    retry_after_s: float | None = None
    resource: JsonObject | None = None


_BY_STATUS: Final[Mapping[int, Outcome]] = {
    401: Outcome.TOKEN,
    403: Outcome.PAUSED,
    404: Outcome.MISSING,
    407: Outcome.DOWN,  # a proxy wants credentials: no change's fault
    408: Outcome.DOWN,  # the server, or a proxy, did not wait for the whole request
    409: Outcome.CONFLICT,
    425: Outcome.DOWN,  # too early: a replay guard of TLS
    429: Outcome.THROTTLED,
    502: Outcome.DOWN,
    503: Outcome.DOWN,
    504: Outcome.DOWN,
}
_BY_CLASS: Final[Mapping[int, Outcome]] = {
    2: Outcome.DELIVERED,
    3: Outcome.DOWN,  # a login page or a moved host: judges the way, never the change
    4: Outcome.REFUSED,
    5: Outcome.FAILED,
}
_REQUEST_TIMEOUT: Final = 408
_GATEWAY_STATUSES: Final = range(520, 600)
"""Not registered with IANA: content networks' words for an origin they cannot reach."""


def judge(request: Sent, outcome: Answered | NotSent | MaybeSent) -> Verdict:
    """What became of the request."""
    match outcome:
        case NotSent():
            return Verdict(Outcome.DOWN, ambiguous=False, detail=clean(str(outcome)))
        case MaybeSent():
            return Verdict(
                Outcome.AMBIGUOUS, ambiguous=not request.safe, detail=clean(str(outcome))
            )
    return _answered(request, outcome)


def usable_id(resource: JsonObject) -> str | None:
    """The resource's `id` if it can be bound: text that a URL can carry; else None."""
    match resource.get("id"):
        case str(text) if text not in {"", ".", ".."}:
            return text
        case _:
            return None


def _answered(request: Sent, answer: Answered) -> Verdict:
    outcome = _outcome(answer.status)
    match outcome:
        case Outcome.DELIVERED:
            return _delivered(request, answer)
        case Outcome.THROTTLED | Outcome.DOWN:
            return _postponed(request, answer, outcome)
        case _:
            return _negative(request, answer, outcome)


def _outcome(status: int) -> Outcome:
    """The table: by status, else by class; what HTTP does not know is the target's trouble."""
    if status in _GATEWAY_STATUSES:
        return Outcome.DOWN
    return _BY_STATUS.get(status) or _BY_CLASS.get(status // 100, Outcome.DOWN)


def _delivered(request: Sent, answer: Answered) -> Verdict:
    """2xx; but a create without a usable id has to be looked up, as if no answer had come (D2)."""
    resource = answer.body if isinstance(answer.body, dict) else None
    if request.creates and (resource is None or usable_id(resource) is None):
        detail = "the answer to a create carried no usable id"
        return Verdict(Outcome.AMBIGUOUS, ambiguous=True, status=answer.status, detail=detail)
    return Verdict(Outcome.DELIVERED, ambiguous=False, status=answer.status, resource=resource)


def _postponed(request: Sent, answer: Answered, outcome: Outcome) -> Verdict:
    """429 and 5xx; a 503 that says when to come back is throttling, but did not say what it did."""
    sent_at = retry_after.date_s(answer.headers.get("date"))
    now_wall = answer.received_at if sent_at is None else sent_at
    wait_s = retry_after.parse(answer.headers.get("retry-after"), now_wall)
    if answer.status == 503 and wait_s is not None:  # noqa: PLR2004 - the status's own number
        outcome = Outcome.THROTTLED
    return _negative(request, answer, outcome, wait_s if outcome is Outcome.THROTTLED else None)


def _negative(
    request: Sent, answer: Answered, outcome: Outcome, retry_after_s: float | None = None
) -> Verdict:
    return Verdict(
        outcome,
        ambiguous=_may_have_happened(answer.status) and not request.safe,
        status=answer.status,
        detail=detail_of(answer.body) or _default_detail(answer.status),
        scim_type=scim_type_of(answer.body),
        retry_after_s=retry_after_s,
    )


def _may_have_happened(status: int) -> bool:
    """K1: 3xx and 4xx are definite refusals to act, except for a request timeout."""
    return status // 100 not in {3, 4} or status == _REQUEST_TIMEOUT


def _default_detail(status: int) -> str:
    """Our words where the target had none."""
    return f"redirect (HTTP {status})" if status // 100 == 3 else f"HTTP {status}"  # noqa: PLR2004
