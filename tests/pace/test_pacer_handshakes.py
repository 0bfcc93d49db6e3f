"""The pacer's promise where a request leaves long after its slot: connections made after idleness."""

import asyncio
import random

import pytest

from relay.pace import Pacer

pytestmark = [pytest.mark.looptime, pytest.mark.usefixtures("virtual")]

COLD = 10
"""So many connections are made anew; later requests leave at once."""


def now():
    return asyncio.get_running_loop().time()


def most_in_a_second(times):
    """The most in any window of one second, wherever it begins; fixed seconds are among them."""
    ordered = sorted(times)
    return max(sum(start <= time < start + 1.0 for time in ordered) for start in ordered)


async def departures(pacer, count, handshake_s, *, at_the_grant=False):
    """When the first bytes of so many requests leave; those on cold connections shake hands."""
    left = []

    async def sent(number, slot):
        if at_the_grant:
            slot.left()
        if number < COLD:
            await asyncio.sleep(handshake_s(number))
        slot.left()
        left.append(now())

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(sent(number, await pacer.reserve()))
    return left


@pytest.mark.parametrize("rate", [1, 10, 30])
@pytest.mark.parametrize("seed", range(8))
async def test_no_second_sees_more_than_the_rate_whatever_the_handshakes_take(rate, seed):
    chance = random.Random(seed)
    left = await departures(Pacer(rate), 4 * rate, lambda _number: chance.uniform(0, 1.5))
    arrivals = [time + chance.uniform(0, 0.040) for time in left]

    assert most_in_a_second(arrivals) <= rate


async def test_slots_counted_from_their_grant_would_break_the_promise():
    left = await departures(Pacer(10), 30, lambda _number: 0.3, at_the_grant=True)

    assert most_in_a_second(left) > 10


async def test_an_open_slot_that_is_never_used_gives_its_place_back():
    pacer = Pacer(2)
    slots = [await pacer.reserve(), await pacer.reserve()]
    third = asyncio.ensure_future(pacer.reserve())
    await asyncio.sleep(60)
    assert not third.done()

    slots[0].unused()
    await third
    began = now()
    slots[1].left()
    third.result().left()
    await pacer.acquire()

    assert now() - began == pytest.approx(1.04, abs=0.001)


async def test_the_end_of_a_slot_counts_once():
    pacer = Pacer(1)
    slot = await pacer.reserve()
    slot.left()
    slot.left()
    slot.unused()
    began = now()

    await pacer.acquire()
    await pacer.acquire()

    assert now() - began == pytest.approx(2.08, abs=0.001)
