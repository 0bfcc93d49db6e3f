"""`explain`: from a name to why that user or group is not in TFE, or in the team, as written."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from relay.errors import RelayError
from relay.rules import conditions, following, standing
from relay.rules.facts import Follower, Standing
from relay.rules.types import Kind
from relay.rules.verdict import Outcome
from relay.store.state.records import ChangeState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relay.delivery.holds import Holds
    from relay.delivery.importer import Importer
    from relay.ops.control import Route
    from relay.rules.conditions import Advice
    from relay.rules.facts import Facts
    from relay.rules.standing import Finding
    from relay.rules.types import Json, JsonObject
    from relay.site.watch import SiteWatch
    from relay.store import Store

_OURS: Final = frozenset({"fault", "crash"})
"""Verdicts on attempts at which the relay itself failed or died (D5, D6)."""


class Explaining:
    """Joins what the store, the holds and TFE's admin API know of one resource.

    Args:
        store: knows the resource.
        holds: that stand.
        importer: knows whether TFE was read whole.
        site: knows the teams; None without the admin API.
    """

    def __init__(
        self, store: Store, holds: Holds, importer: Importer, site: SiteWatch | None
    ) -> None:
        self._store = store
        self._holds = holds
        self._importer = importer
        self._site = site

    def routes(self) -> dict[str, Route]:
        """What the control socket answers."""
        return {"explain": self._explain}

    async def _explain(self, arguments: JsonObject, _actor: str) -> Json:
        """One user or group, by name, address or id.

        Raises:
            RelayError: neither a user nor a group is meant.
        """
        named = str(arguments.get("name"))
        try:
            kind = Kind(str(arguments.get("kind")))
        except ValueError:
            raise RelayError("cannot explain that: say `user` or `group`") from None
        facts = await self._store.desk.facts(kind, named)
        if facts is None:
            found = standing.unknown(kind.value, named, complete=self._importer.complete)
            return {"kind": kind.value, "name": named, "state": "unknown", "findings": _told(found)}
        return self._known(facts)

    def _known(self, facts: Facts) -> JsonObject:
        holds = _stand(self._holds)
        answer: JsonObject = {
            "kind": facts.kind,
            "name": facts.name,
            "id": facts.id,
            "tfe_id": facts.tfe_id,
            "state": facts.state,
            "last_change": None if facts.last is None else facts.last.change,
            "connection": None if facts.last is None else facts.last.connection,
            "findings": _told(standing.explain(facts, holds)),
        }
        if facts.kind == Kind.GROUP.value:
            wanted, confirmed = facts.members
            answer["members"] = {"wanted": wanted, "in_tfe": confirmed}
            answer["teams"] = _told([following.follows(facts.name, self._followers(facts.name))])
        else:
            answer["groups"] = self._groups(facts, holds)
        return answer

    def _groups(self, facts: Facts, holds: Sequence[Standing]) -> list[Json]:
        return [
            {
                "group": one.group,
                "part": one.part,
                "wanted": one.wanted,
                "in_tfe": one.confirmed,
                **_row(
                    following.explain_membership(
                        one, facts, holds, self._followers(one.part or one.group)
                    )
                ),
            }
            for one in facts.memberships
        ]

    def _followers(self, group: str) -> list[Follower] | None:
        """The teams that follow a group of TFE; None while nobody knows."""
        teams = None if self._site is None else self._site.seen.teams
        if teams is None:
            return None
        return [
            Follower(f"{one.organization}/{one.team.name}", link.paused)
            for one in teams
            if (link := one.team.link) is not None
            and link.group_name.casefold() == group.casefold()
        ]


def _stand(holds: Holds) -> list[Standing]:
    return [Standing(one.name.value, one.reason) for one in holds.standing]


async def told_of(store: Store, holds: Holds, row: JsonObject) -> JsonObject:
    """Cause and next step of one change, as `changes show` has it; of what waits, every reason."""
    kind, status, number = str(row["kind"]), row["status"], row["id"]
    if row["state"] == ChangeState.PENDING:
        facts = await store.desk.facts(Kind(kind), str(row["resource"]))
        waits = [] if facts is None else standing.waits_for(facts, _stand(holds))
        return {**_first(waits), "waits": _told(waits)}
    if row["state"] == ChangeState.DELIVERED or not isinstance(status, int):
        return {"condition": None, "cause": None, "cure": None}
    told = _meant(row, status, kind)
    live = row["state"] == ChangeState.REFUSED
    cure = conditions.sent_again(told) if live else conditions.next_step(told, number)
    return {"condition": told.condition.value, "cause": told.cause, "cure": cure}


def _meant(row: JsonObject, status: int, kind: str) -> Advice:
    """What ended a change: its status is TFE's, unless an operator or the relay itself ended it."""
    if row["state"] == ChangeState.DROPPED:
        return conditions.advice(HTTPStatus.GONE)
    told = conditions.advice(status, kind)
    attempts = row["attempts"]
    assert isinstance(attempts, list)
    tried = [one for one in attempts if isinstance(one, dict)]
    if told.condition is not conditions.Condition.FAILED or any(
        one["status"] == status for one in tried
    ):
        return told
    verdicts = {one["verdict"] for one in tried}
    if Outcome.AMBIGUOUS.value in verdicts and not verdicts & _OURS:
        return conditions.advice(None)
    return conditions.FAULT


def _first(found: Sequence[Finding]) -> JsonObject:
    """The finding that must be dealt with first."""
    if not found:
        return {"condition": None, "cause": None, "cure": None}
    return {"condition": found[0].why.value, "cause": found[0].cause, "cure": found[0].cure}


def _row(one: Finding) -> JsonObject:
    return {"why": one.why.value, "cause": one.cause, "cure": one.cure}


def _told(found: Sequence[Finding]) -> list[Json]:
    return [_row(one) for one in found]
