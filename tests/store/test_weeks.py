"""Days of trouble in virtual time: what stays owed, and what a week of changes comes to."""

import random

import pytest
from support.idp import add, deactivate, group, patch_body, remove, user
from support.world import World, run_virtually

from relay.rules import dialect
from relay.rules.types import Kind, Verb, Write
from relay.simulator.faults import Fault, FaultKind, Match

DAY_S = 86_400.0


def virtually(tmp_path, play, **settings):
    """Play in a world of its own, in virtual time."""

    async def main():
        world = World(tmp_path / "relay.db", **settings)
        await world.start()
        try:
            await play(world)
        finally:
            await world.stop()

    run_virtually(main)


async def accept(world, write, identifier=None):
    accepted = await world.store.directory.accept("idp", write, identifier)
    world.store.directory.answered(accepted.change)
    return accepted


async def create(world, name):
    made = await accept(world, dialect.parse_create(Kind.USER, user(name)))
    return made.resource.public_id


@pytest.mark.parametrize("status", [400, 500])
def test_a_revocation_refused_for_three_days_stays_owed_until_an_operator_drops_it(
    status, tmp_path
):
    async def play(world):
        ada, bob = [await create(world, f"{name}@x.org") for name in ("ada", "bob")]
        await world.settled()
        refusal = Fault(kind=FaultKind.STATUS, status=status, detail="no")
        world.tfe.faults.add(refusal, Match(method="PATCH", body="(?i)false", count=None))
        revoked = await accept(world, dialect.parse_patch(Kind.USER, patch_body(deactivate())), ada)
        for _ in range(3):
            await world.pass_time(DAY_S)
            moved = patch_body({"op": "replace", "value": {"externalId": f"e-{_}"}})
            await accept(world, dialect.parse_patch(Kind.USER, moved), bob)
            assert (await world.store.change(revoked.change))["state"] == "pending"
            assert (await world.store.snapshot()).owed == 1
        tried = world.tfe.log.entries(method="PATCH")
        assert 3 * DAY_S / 900 * 0.9 < len(tried) < 3 * DAY_S / 900 * 3

        await world.store.desk.drop(revoked.change, "ada (uid 1000)", "left otherwise")
        await world.pass_time(60)
        assert (await world.store.change(revoked.change))["state"] == "dropped"
        assert (await world.store.snapshot()).owed == 0

    virtually(tmp_path, play)


async def a_weeks_work(world, people, crews, changes, rng):
    """Edits, moves and departures spread over seven days, as identity providers send them."""
    gone = set()
    for number in range(changes):
        who = rng.randrange(len(people))
        if who in gone:
            continue
        kind = rng.random()
        if kind < 0.35:
            body = patch_body({"op": "replace", "value": {"externalId": f"e-{number}"}})
            await accept(world, dialect.parse_patch(Kind.USER, body), people[who])
        elif kind < 0.995:
            edit = rng.choice((add, remove))(people[who])
            crew = crews[rng.randrange(len(crews))]
            await accept(world, dialect.parse_patch(Kind.GROUP, patch_body(edit)), crew)
        else:
            await accept(world, Write(Verb.DELETE, Kind.USER), people[who])
            gone.add(who)
        if number % 500 == 0:
            await world.pass_time(7 * DAY_S * 500 / changes)
    return gone


def a_paused_week(tmp_path, changes, users, groups):
    """A week of changes accepted while TFE is paused; then what it took to catch up."""

    async def play(world):
        people = [await create(world, f"u{number:05}@x.org") for number in range(users)]
        crews = []
        for number in range(groups):
            made = dialect.parse_create(Kind.GROUP, group(f"Crew {number}"))
            crews.append((await accept(world, made)).resource.public_id)
        await world.settled()
        world.tfe.pause()
        await world.pass_time(60)
        gone = await a_weeks_work(world, people, crews, changes, random.Random(4))
        accepted = (await world.counters())["accepted"]

        def net(tx):
            edited = tx.value("SELECT count(DISTINCT resource) FROM effect WHERE state <> 'parked'")
            rosters = tx.value(
                "SELECT max(n) FROM (SELECT count(*) AS n FROM effect"
                " WHERE key > 0 GROUP BY resource)"
            )
            return edited, rosters or 0

        lanes, most = await world.store.run(net)
        before = world.tfe.log.entries()[-1].serial
        world.tfe.resume()
        await world.settled()
        writes = [one for one in world.tfe.log.entries(after=before) if one.method != "GET"]
        assert accepted > changes * 0.9
        # One request a resource that differs; a group's roster of more than 100 removals may take
        # one for each hundred (contract: 100 operations).
        assert lanes <= len(writes) <= lanes + groups * (most // 100 + 1)
        assert 429 not in {one.status for one in world.tfe.log.entries(after=before)}
        assert len(world.tfe.directory.users) == users - len(gone)
        busy_s = writes[-1].monotonic_s - writes[0].monotonic_s
        print(f"\n{accepted} changes: {lanes} lanes, {len(writes)} writes in {busy_s:.0f} s")
        for one, name in zip(crews, (f"Crew {n}" for n in range(groups)), strict=True):
            found = await world.store.directory.get(Kind.GROUP, one, members=True)
            [held] = world.tfe.directory.groups.named(name)
            assert len(found.members) == len(held.fields.members)

    virtually(tmp_path, play, rate=10)


def test_what_was_accepted_in_a_paused_week_costs_the_requests_of_the_net_change(tmp_path):
    a_paused_week(tmp_path, changes=3_000, users=150, groups=6)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_fifty_thousand_changes_of_a_paused_week_cost_the_requests_of_the_net_change(tmp_path):
    a_paused_week(tmp_path, changes=52_000, users=2_000, groups=40)
