"""Whether the TFE that answers is the one this database was filled from (semantics K5).

A TFE that was wiped, restored or swapped behind its name answers every request politely, and knows
nothing of ours. Taking its word would unlearn thousands of ids. So before a 404 is believed, after
holds, and now and then while resources are created, TFE is asked for ids that it told us long ago.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from relay.rules import backoff, reads
from relay.rules.verdict import Outcome, Verdict
from relay.store.deliver.settling import HoldRequest
from relay.store.state.holds import HoldName

if TYPE_CHECKING:
    from relay.clock import Clock
    from relay.delivery.sender import Sender
    from relay.store import Store

STALE_S: Final = 60.0
"""After so long without a proof the next creation has TFE asked."""

_OF_OUTCOME: Final = {
    Outcome.PAUSED: HoldName.PAUSED,
    Outcome.TOKEN: HoldName.TOKEN,
    Outcome.THROTTLED: HoldName.THROTTLED,
}


class Identity:
    """Tells a TFE that lost one resource from another TFE.

    Args:
        store: knows what TFE should have.
        sender: asks it.
        clock: time.
    """

    def __init__(self, store: Store, sender: Sender, clock: Clock) -> None:
        self._store = store
        self._sender = sender
        self._clock = clock
        self._proved_at = -math.inf

    @property
    def stale(self) -> bool:
        """Whether nothing has proved for a while that TFE is ours."""
        return self._clock.monotonic() - self._proved_at > STALE_S

    def proved(self) -> None:
        """TFE knew an id of ours, just now."""
        self._proved_at = self._clock.monotonic()

    async def doubted(self, but: int, since: float) -> HoldRequest | None:
        """A bound id is unknown to TFE: is it that resource alone, or another TFE?

        Args:
            but: the resource in question, not asked for again.
            since: monotonic time when the request left that raised the doubt: only what was
                proved after it says that TFE is ours still. Requests under way together share it.

        Returns:
            The hold to raise, `foreign` or whatever keeps TFE from answering, so that nothing is
            unlearnt in doubt; None if TFE knows others of ours.
        """
        if self._proved_at >= since:
            return None
        return await self._checked(but, math.inf)

    async def reviewed(self) -> HoldRequest | None:
        """Resources are created and nothing else is said: does TFE still know the old ones?"""
        return await self._checked(0, self._clock.wall() - STALE_S)

    async def _checked(self, but: int, before: float) -> HoldRequest | None:
        if not (await self._store.binding(but, before)).sample:
            return None
        verdict = await self._sender.ask(reads.probe(), "probe")
        return self.trouble(verdict) or await self.compared(verdict, but, before)

    async def compared(
        self, probe: Verdict, but: int = 0, before: float = math.inf
    ) -> HoldRequest | None:
        """Whether the TFE that answered this probe is another than the one we know.

        Of a few ids that TFE should know most must be known: it loses single resources, and on
        another TFE a few may have been created before anybody noticed.
        """
        known = await self._store.binding(but, before)
        if not known.sample:
            return None
        if known.users and (probe.resource or {}).get("totalResults") == 0:
            seen = f"TFE lists no users, but {known.users} or more are known: wiped or replaced"
            return HoldRequest(HoldName.FOREIGN, seen)
        enough = len(known.sample) // 2 + 1
        missing: list[str] = []
        for asked, (kind, target) in enumerate(known.sample, 1):
            verdict = await self._sender.ask(reads.existence(kind, target), "probe")
            if verdict.outcome is Outcome.MISSING:
                missing.append(target)
            elif (hold := self.trouble(verdict)) is not None:
                return hold
            if asked - len(missing) >= enough:
                break
            if len(missing) >= enough:
                seen = f"TFE does not know the ids {', '.join(missing)}: wiped or replaced"
                return HoldRequest(HoldName.FOREIGN, seen)
        self.proved()
        return None

    def trouble(self, verdict: Verdict, asked: int = 1) -> HoldRequest | None:
        """The hold for a question that TFE did not answer; None if it did.

        Args:
            verdict: of the question.
            asked: how often in a row, for the wait where a 429 does not say how long.
        """
        if verdict.outcome is Outcome.DELIVERED:
            return None
        name = _OF_OUTCOME.get(verdict.outcome, HoldName.DOWN)
        until = None
        if name is HoldName.THROTTLED:
            until = self._clock.wall() + (verdict.retry_after_s or backoff.ceiling_s(asked))
        return HoldRequest(name, said(verdict), until)


def said(verdict: Verdict) -> str:
    """TFE's status and words, for an operator."""
    status = "no answer" if verdict.status is None else str(verdict.status)
    return f"{status}: {verdict.detail}" if verdict.detail else status
