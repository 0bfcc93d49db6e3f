"""A store, delivery's own decisions and the stand-in, in one loop that a test turns by hand.

No socket, no pacer, no real time: `step` sends one request, `run` sends all that is due and lets the
clock pass where the store says that it waits. What a result means is told by the relay's own code.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson

from relay.clock import RandomIds
from relay.delivery.health import Health
from relay.errors import MaybeSent
from relay.rules import dialect
from relay.rules.contract import TFE, TargetProfile
from relay.rules.guard import OPEN_DOOR, GuardPolicy
from relay.rules.types import Kind, Verb, Write
from relay.rules.verdict import Answered, Outcome, Sent, Verdict, judge
from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.log import Arrival
from relay.simulator.service import Ending, Reply, Service
from relay.simulator.tfe import Tfe
from relay.store import Store, StoreSettings
from relay.store.deliver.claiming import Idle
from relay.store.deliver.settling import Circumstances
from relay.store.edits.incoming import AcceptRules
from relay.store.state.claims import Purpose
from relay.store.state.holds import HoldName
from support.fresh import lay
from support.idp import group, patch_body, user
from support.world import put_in_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from relay.rules.planner_types import Request
    from relay.store.state.claims import Claim
    from relay.store.state.records import Accepted, Settlement

TIMEOUT_S = 60.0
ANSWER_S = 0.02
"""A stand-in that takes longer than this has gone silent: `target.timeout` in real time."""


class LabClock:
    """Both clocks stand still until `turn`."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.set_s = 0.0

    def wall(self) -> float:
        return 1_700_000_000.0 + self.now_s + self.set_s

    def monotonic(self) -> float:
        return 1_000.0 + self.now_s

    def turn(self, seconds: float) -> None:
        self.now_s += seconds

    def set_anew(self, seconds: float) -> None:
        """Somebody sets wall time forward, or back; the monotonic clock does not care."""
        self.set_s += seconds


class Unobserved:
    def committed(self, operations: int, seconds: float, /) -> None:
        """Nobody measures a test's commits."""


@dataclass(frozen=True)
class Sending:
    """One request that was sent, and what it meant."""

    method: str
    path: str
    body: Any
    verdict: Verdict
    claim: Claim

    @property
    def line(self) -> str:
        return f"{self.method} {self.path.partition('?')[0]}"


class Lab:
    """A relay without sockets: `store`, `tfe`, `clock`, and everything sent so far in `sent`."""

    def __init__(self, store: Store, tfe: Tfe, clock: LabClock) -> None:
        self.store = store
        self.tfe = tfe
        self.clock = clock
        self.health = Health()
        self.sent: list[Sending] = []
        self._service = Service(tfe)
        self._turn = 0
        self._late: list[asyncio.Task[Reply]] = []

    # --- the IdP ---------------------------------------------------------------------------

    async def accept(
        self, write: Write, identifier: str | None = None, *, waits: bool = False
    ) -> Accepted:
        """Take a write in; the client hears the directory's answer unless it `waits`."""
        accepted = await self.store.directory.accept("idp", write, identifier, patient=waits)
        if not waits:
            self.store.directory.answered(accepted.change)
        return accepted

    async def post(self, body: dict[str, Any], *, waits: bool = False) -> str:
        """Create what the body describes; its id."""
        kind = Kind.GROUP if "displayName" in body and "userName" not in body else Kind.USER
        accepted = await self.accept(dialect.parse_create(kind, body), waits=waits)
        assert accepted.resource is not None
        return accepted.resource.public_id

    async def user(self, name: str, **more: Any) -> str:
        return await self.post(user(name, **more))

    async def users(self, count: int, prefix: str = "user") -> list[str]:
        return [await self.user(f"{prefix}{number:05}@example.com") for number in range(count)]

    async def group(self, name: str, *members: str, **more: Any) -> str:
        return await self.post(group(name, *members, **more))

    async def patch(self, kind: Kind, identifier: str, *operations: Any) -> Accepted:
        return await self.accept(dialect.parse_patch(kind, patch_body(*operations)), identifier)

    async def edit(self, identifier: str, **values: Any) -> Accepted:
        """A path-less Replace on a user."""
        return await self.patch(Kind.USER, identifier, {"op": "replace", "value": values})

    async def rename(self, identifier: str, name: str) -> Accepted:
        """Rename a group."""
        operation = {"op": "replace", "value": {"displayName": name}}
        return await self.patch(Kind.GROUP, identifier, operation)

    async def delete(self, kind: Kind, identifier: str) -> Accepted:
        return await self.accept(Write(Verb.DELETE, kind), identifier)

    async def members(self, identifier: str) -> set[str]:
        """A group's roster as the IdP reads it."""
        found = await self.store.directory.get(Kind.GROUP, identifier, members=True)
        assert found is not None
        assert found.members is not None
        return {member.id for member in found.members}

    async def shadow(self, kind: Kind, identifier: str) -> dict[str, Any] | None:
        found = await self.store.directory.get(kind, identifier, members=False)
        return None if found is None else found.shadow

    async def state(self, change: int) -> str:
        found = await self.store.change(change)
        assert found is not None
        return found["state"]

    async def settlement(self, change: int) -> Settlement:
        return await self.store.directory.settlement(change)

    async def counters(self) -> dict[str, int]:
        counters = dict((await self.store.snapshot()).counters)
        ends = ("delivered", "refused", "parked", "dropped", "pending")
        assert counters["accepted"] == sum(counters[end] for end in ends), counters
        return counters

    # --- delivery --------------------------------------------------------------------------

    async def claim(self) -> Claim | Idle:
        claim = await self.store.claim(self._turn)
        self._turn += not isinstance(claim, Idle)
        return claim

    async def step(self) -> Sending | Idle:
        """Send the next request that may be sent now."""
        claim = await self.claim()
        if isinstance(claim, Idle):
            return claim
        return await self.finish(claim, await self.send(claim.request, str(claim.attempt)))

    async def finish(
        self, claim: Claim, outcome: Answered | MaybeSent, *, slot_at: float | None = None
    ) -> Sending:
        """Settle a claim with what came back, as the dispatcher does."""
        verdict = judge(Sent.of(claim.request), outcome)
        sending = Sending(
            claim.request.method, claim.request.path, claim.request.body, verdict, claim
        )
        self.sent.append(sending)
        now_s = self.clock.monotonic()
        charge = self.health.others_succeed(claim.resource, now_s)
        hold = self.health.note(
            claim.resource,
            verdict,
            now_s=now_s,
            wall_s=self.clock.wall(),
            unit=0.5,
            writes=claim.purpose is Purpose.WRITE,
        )
        now = Circumstances(charge, 0.5, TIMEOUT_S, hold, slot_at)
        if verdict.outcome is Outcome.MISSING:
            now = replace(now, hold=None)
        await self.store.settle(claim, verdict, now)
        return sending

    async def run(self, most: int = 10_000, *, within_s: float = 20.0) -> list[Sending]:
        """Send until nothing is due within `within_s` from now; what was sent."""
        sent: list[Sending] = []
        end_s = self.clock.now_s + within_s
        while len(sent) < most:
            found = await self.step()
            if isinstance(found, Sending):
                sent.append(found)
                continue
            if found.next_due is None:
                if not await self._lifted() or self.clock.now_s > end_s:
                    break
                continue
            wait_s = max(found.next_due - self.clock.wall(), 0.001)
            if self.clock.now_s + wait_s > end_s:
                break
            self.clock.turn(wait_s)
        return sent

    async def _lifted(self) -> bool:
        """Let a second pass and TFE be reachable again, as the keeper's probe would find."""
        down = HoldName.DOWN in {hold.name for hold in await self.store.holds()}
        if down:
            self.clock.turn(1.0)
            await self.store.lift(HoldName.DOWN)
        return down

    async def send(self, request: Request, attempt_id: str = "test") -> Answered | MaybeSent:
        """One request to the stand-in; its answer, or that none came."""
        path, _, query = request.path.partition("?")
        arrival = Arrival(
            method=request.method,
            path=path,
            query=dict(parse_qsl(query)),
            body=b"" if request.body is None else orjson.dumps(request.body),
            authorization=f"Bearer {self.tfe.token}",
            content_type="application/scim+json",
            request_id=attempt_id,
        )
        exchange = asyncio.ensure_future(self._service.exchange(arrival))
        done, _ = await asyncio.wait([exchange], timeout=ANSWER_S)
        if not done:
            self._late.append(exchange)
            return MaybeSent(f"no answer in {TIMEOUT_S:g} s")
        return _outcome(exchange.result(), self.clock.wall())

    async def late_requests_end(self) -> None:
        """Let the stand-in finish what its clients have given up."""
        for rule in self.tfe.faults.rules():
            rule.release()
        await asyncio.gather(*self._late)
        self._late.clear()

    async def target(self, identifier: str) -> str | None:
        """TFE's id of what any of its ids names."""
        return await self.store.run(
            lambda tx: tx.value(
                "SELECT target_id FROM resource WHERE id = (SELECT resource FROM alias WHERE id=?)",
                (identifier,),
            )
        )

    # --- TFE -------------------------------------------------------------------------------

    def names(self) -> dict[str, str]:
        """TFE's groups: names by id."""
        return {one.stamp.id: one.fields.display_name for one in self.tfe.directory.groups}

    def roster(self, name: str) -> set[str]:
        """The `userName`s of a group's members in TFE."""
        [found] = self.tfe.directory.groups.named(name)
        return {self.tfe.directory.user(ident).fields.user_name for ident in found.fields.members}

    def user_in_tfe(self, name: str) -> Any:
        """A user's fields in TFE, or None."""
        found = self.tfe.directory.users.named(name)
        assert len(found) <= 1
        return found[0].fields if found else None


def _outcome(reply: Reply, wall: float) -> Answered | MaybeSent:
    if reply.ending is not Ending.WHOLE:
        return MaybeSent("the connection was reset")
    headers = {name.lower(): value for name, value in reply.headers.items()}
    if not reply.body:
        return Answered(reply.status, headers, None, wall)
    try:
        body = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        if reply.status < 300:
            return MaybeSent("the answer is no JSON")
        body = reply.body.decode("utf-8", "replace")
    return Answered(reply.status, headers, body, wall)


def _stand_in(clock: LabClock, most: int | None) -> Tfe:
    settings = SimulatorSettings(limit=RateLimit(rate=0), keep_bodies=True)
    tfe = Tfe(settings, clock=clock)
    if most is not None:
        tfe.behave(replace(tfe.behaviour, member_limit=most))
    return tfe


@asynccontextmanager
async def lab_in(
    folder: Path,
    tfe: Tfe | None = None,
    clock: LabClock | None = None,
    *,
    max_pending: int = 100_000,
    guard: GuardPolicy = OPEN_DOOR,
    flatten: bool = False,
    part: int | None = None,
    counted: Callable[[str, str], None] = lambda _metric, _label: None,
    profile: TargetProfile = TFE,
    threads: bool = True,
    names: bool = True,
) -> AsyncIterator[Lab]:
    """A lab on a database in `folder`; give `tfe` and `clock` again to restart on the same file.

    With `part` groups overflow into parts of so many members.
    """
    clock = clock or LabClock()
    tfe = tfe or _stand_in(clock, part)
    profile = profile if part is None else replace(profile, max_members=part)
    rules = AcceptRules(profile, "userName", max_pending, patience=3, flatten=flatten)
    settings = StoreSettings(
        folder / "lab.db",
        rules,
        synchronous="OFF",
        guard=guard,
        overflow=part is not None,
        names=names,
    )
    ids = RandomIds()
    lay(settings.path)
    store = Store(settings, clock, ids, Unobserved(), counted)
    if not threads:
        put_in_line(store, clock, ids)
    await store.start()
    lab = Lab(store, tfe, clock)
    try:
        yield lab
    finally:
        await lab.late_requests_end()
        store.stop()
