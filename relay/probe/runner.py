"""Goes through the assumptions, one after the other, and leaves nothing behind."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from relay.errors import RelayError, TargetError
from relay.probe import groups, limits, reading, users
from relay.probe.assumption import Assumption, Seen, Verdict
from relay.probe.cleaning import clean
from relay.probe.session import UnexpectedAnswerError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from relay.probe.session import Session

ASSUMPTIONS: Final = (
    *reading.ASSUMPTIONS,
    *users.ASSUMPTIONS,
    *groups.ASSUMPTIONS,
    *limits.ASSUMPTIONS,
)
"""All of them; the ones that cost others their turn last."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What trying one assumption showed."""

    assumption: Assumption
    seen: Seen


async def ready(tfe: Session) -> None:
    """Look before anything is made.

    Raises:
        RelayError: TFE takes no SCIM requests now, with the cure.
    """
    reply = await tfe.get("/Users", count="0")
    match reply.status:
        case HTTPStatus.OK:
            return
        case HTTPStatus.UNAUTHORIZED:
            cure = "the token is no live SCIM token of this TFE"
        case HTTPStatus.FORBIDDEN:
            cure = "SCIM is paused or disabled; a site administrator resumes it"
        case _:
            cure = "look at target.url and at TFE"
    raise RelayError(f"cannot probe: {reply}; {cure}")


async def findings(tfe: Session, asked: Collection[str] = ()) -> AsyncIterator[Finding]:
    """Try every assumption; what was made is deleted after each, also when this is cancelled.

    Args:
        tfe: where; somewhere an operator can spare.
        asked: the options that were given: see `Assumption.asks`.
    """
    for assumption in ASSUMPTIONS:
        if assumption.asks is not None and assumption.asks not in asked:
            seen = Seen(Verdict.UNKNOWN, f"left out; ask with --{assumption.asks}")
        else:
            seen = await _tried(tfe, assumption)
        yield Finding(assumption, seen)


async def _tried(tfe: Session, assumption: Assumption) -> Seen:
    try:
        return await assumption.trial(tfe)
    except UnexpectedAnswerError as error:
        return Seen(Verdict.UNKNOWN, str(error))
    except TargetError as error:
        return Seen(Verdict.UNKNOWN, f"no answer: {error}")
    finally:
        # Cancelled or not, an operator's TFE is left as it was.
        await _cleaned(tfe)


async def _cleaned(tfe: Session) -> None:
    try:
        await clean(tfe)
    except RelayError as error:
        cure = "run `scim-relay probe --clean` once TFE answers"
        raise RelayError(f"not everything was deleted again: {error}; {cure}") from error
