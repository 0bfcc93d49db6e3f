"""Hold `throttled`: TFE says when to come back, and is obeyed to the second; hours in virtual time."""

import itertools
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

import pytest
from support.idp import user
from support.relays import relay_for
from support.world import World, run_virtually

from relay.rules import dialect
from relay.rules.types import Kind
from relay.simulator.behaviour import Latency
from relay.simulator.faults import Fault, FaultKind, Match

HOUR = 3600.0
BLINK_S = 0.02
"""What the loop takes from a wait's end to the next request, and a clock's rounding."""


def busy(wait, status=429):
    return Fault(kind=FaultKind.STATUS, status=status, retry_after=wait, detail="slow down")


async def resumed(tfe, tmp_path, fault, times=1):
    """Creations that meet a fault some times; the log's entries of all POSTs."""
    sections = {"target": {"rate": 100}, "answer": {"wait": "0s"}}
    async with relay_for(tfe, tmp_path, **sections) as relay:
        tfe.faults.add(fault, Match(method="POST", count=times))
        await relay.idp.create_user("user0@example.com")
        await relay.held("throttled")
        rate = (await relay.status())["rate"]  # nothing that succeeds is under way to raise it
        for number in (1, 2):
            await relay.idp.create_user(f"user{number}@example.com")
        await relay.settled()
        counters = await relay.counters()
    assert (counters["delivered"], counters["parked"]) == (3, 0)
    assert rate == 50
    assert len(tfe.names()) == 3
    return tfe.log.entries(method="POST")


@pytest.mark.parametrize("status", [429, 503])
async def test_seconds_are_waited_for_and_the_rate_steps_down(status, tfe, tmp_path):
    first, second, *_ = await resumed(tfe, tmp_path, busy("2", status))

    assert second.monotonic_s - first.answered_s >= 2.0


async def test_a_date_is_waited_for(tfe, tmp_path):
    moment = datetime.now(UTC) + timedelta(seconds=4)
    date = format_datetime(moment, usegmt=True)
    _, second, *_ = await resumed(tfe, tmp_path, busy(date))

    # TFE's clock is its `Date` header, which has whole seconds: up to one is lost in reading it.
    assert second.wall_s >= parsedate_to_datetime(date).timestamp() - BLINK_S


@pytest.mark.parametrize("wait", [None, "soon"])
async def test_without_a_word_a_second_is_waited_for(wait, tfe, tmp_path):
    first, second, *_ = await resumed(tfe, tmp_path, busy(wait))

    assert second.monotonic_s - first.answered_s >= 1.0


# --- in virtual time ------------------------------------------------------------------------


async def create(world, name):
    write = dialect.parse_create(Kind.USER, user(name))
    accepted = await world.store.directory.accept("idp", write, None)
    return accepted.resource.public_id


def virtually(tmp_path, play):
    """Play in a world of its own, in virtual time."""

    async def main():
        world = World(tmp_path / "relay.db")
        await world.start()
        try:
            await play(world)
        finally:
            await world.stop()

    run_virtually(main)


def arrivals(world, method="POST"):
    return [entry.monotonic_s for entry in world.tfe.log.entries(method=method)]


@pytest.mark.parametrize("wait", [None, "0", "-5", "Wed, 21 Oct 2015 07:28:00 GMT", "soon"])
def test_a_useless_retry_after_is_one_second_then_ever_more(wait, tmp_path):
    async def play(world):
        world.tfe.faults.add(busy(wait), Match(method="POST", count=7))
        await create(world, "ada@example.com")
        await world.settled()
        times = arrivals(world)
        waits = [later - earlier for earlier, later in itertools.pairwise(times)]

        assert len(waits) == 7
        assert waits[0] <= 1.1
        for doublings, wait_s in enumerate(waits):
            assert max(1.0, 2.0**doublings / 2) - BLINK_S <= wait_s <= 2.0**doublings + 1.1

    virtually(tmp_path, play)


def test_a_wait_of_a_day_costs_one_request_an_hour_and_everything_is_sent_after_it(tmp_path):
    async def play(world):
        rule = world.tfe.faults.add(busy("86400"), Match(count=None))
        for number in range(20):
            await create(world, f"user{number}@example.com")
        await world.pass_time(5.5 * HOUR)
        asked = [entry.monotonic_s for entry in world.tfe.log.entries()]
        first_burst = [time for time in asked if time < 60]
        later = [time for time in asked if time >= 60]

        assert len(first_burst) == 1
        assert len(later) == 5
        assert all(later[i + 1] - later[i] >= HOUR for i in range(4))
        assert {entry.method for entry in world.tfe.log.entries()[1:]} == {"GET"}

        world.tfe.faults.remove(rule.ident)
        await world.settled()
        assert len(world.tfe.directory.users) == 20
        assert (await world.counters())["delivered"] == 20

    virtually(tmp_path, play)


def test_a_shorter_wait_that_is_told_later_does_not_shorten_the_longer_one(tmp_path):
    async def play(world):
        world.tfe.think(Latency(500, 500))  # both are under way before the first is refused
        world.tfe.faults.add(busy("600"), Match(method="POST", body="ada"))
        world.tfe.faults.add(busy("1"), Match(method="POST", body="bob"))
        await create(world, "ada@example.com")
        await create(world, "bob@example.com")
        await world.settled()
        _, other, repeated, _ = arrivals(world)

        assert repeated - other >= 600

    virtually(tmp_path, play)


def test_a_wait_outlives_a_restart_and_is_not_shortened_by_it(tmp_path):
    async def play(world):
        world.tfe.faults.add(busy("900"), Match(method="POST"))
        await create(world, "ada@example.com")
        await world.pass_time(100)
        await world.crash()
        await world.start()
        await world.settled()
        refused, repeated = arrivals(world)

        assert 900 - BLINK_S <= repeated - refused <= 903

    virtually(tmp_path, play)


def test_requests_refused_together_without_a_word_count_once(tmp_path):
    async def play(world):
        world.tfe.think(Latency(500, 500))
        world.tfe.faults.add(busy(None), Match(method="POST", count=3))
        for number in range(4):
            await create(world, f"user{number}@example.com")
        await world.settled()
        times = arrivals(world)

        assert times[2] - times[0] < 0.1
        assert 1.0 <= times[3] - times[2] <= 2.0

    virtually(tmp_path, play)


def test_the_rate_steps_down_at_a_429_and_recovers_with_success(tmp_path):
    async def play(world):
        world.tfe.faults.add(busy("1"), Match(method="POST", skip=20))
        for number in range(900):
            await create(world, f"user{number}@example.com")
        await world.settled()
        times = arrivals(world)
        before = times[19] - times[9]
        after = times[31] - times[21]
        end = times[-1] - times[-11]

        assert after > 1.7 * before
        assert end == pytest.approx(before, rel=0.05)

    virtually(tmp_path, play)


def test_after_an_outage_the_rate_begins_at_a_tenth_and_recovers(tmp_path):
    async def play(world):
        world.tfe.faults.add(Fault(kind=FaultKind.STATUS, status=502), Match(method="POST"))
        for number in range(900):
            await create(world, f"user{number}@example.com")
        await world.settled()
        times = arrivals(world)

        assert times[4] - times[2] >= 2 * 0.09
        assert times[-1] - times[-11] < 11 * 0.0105

    virtually(tmp_path, play)
