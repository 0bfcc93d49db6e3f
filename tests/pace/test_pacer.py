"""The pacer's promise in virtual time (D9, H1): windows, order, pauses, restarts, AIMD."""

import asyncio
import random
from itertools import pairwise

import pytest

from relay.pace import Pacer

pytestmark = [pytest.mark.looptime, pytest.mark.usefixtures("virtual")]


def now():
    return asyncio.get_running_loop().time()


async def grants(pacer, count):
    """When each of so many waiters, all there from the start, got its slot."""
    times = []

    async def waiter():
        await pacer.acquire()
        times.append(now())

    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(waiter())
    return times


def most_in_a_second(times):
    """The most arrivals in any window of one second, however it is placed."""
    ordered = sorted(times)
    return max(sum(start <= time < start + 1.0 for time in ordered) for start in ordered)


@pytest.mark.parametrize("rate", [1, 10, 30])
async def test_no_second_sees_more_than_the_rate_whatever_the_network_does(rate):
    times = await grants(Pacer(rate), 12 * rate)

    for seed in range(20):
        jitter = random.Random(seed)
        arrivals = [time + jitter.uniform(0, 0.040) for time in times]

        assert most_in_a_second(arrivals) <= rate


@pytest.mark.parametrize("rate", [1, 10, 30])
async def test_the_worst_network_of_forty_ms_cannot_break_the_promise(rate):
    times = await grants(Pacer(rate), 4 * rate)

    for late in range(3 * rate):
        arrivals = [time + (0.040 if index <= late else 0) for index, time in enumerate(times)]

        assert most_in_a_second(arrivals) <= rate


@pytest.mark.parametrize("rate", [1, 10, 30])
async def test_at_least_94_percent_of_the_rate_is_granted(rate):
    times = await grants(Pacer(rate), 20 * rate + 1)

    assert (len(times) - 1) / (times[-1] - times[0]) >= 0.94 * rate


async def test_without_the_spacing_for_jitter_the_proof_would_fail():
    times = await grants(Pacer(10, jitter_s=0.0), 30)

    arrivals = [time + (0.040 if index <= 10 else 0) for index, time in enumerate(times)]

    assert most_in_a_second(arrivals) > 10


async def test_a_rate_that_is_not_whole_is_rounded_down():
    assert most_in_a_second(await grants(Pacer(9.9), 30)) == 9


async def test_a_rate_below_one_spaces_by_its_reciprocal():
    first, second, third = await grants(Pacer(0.5), 3)

    assert second - first >= 2.040
    assert third - second == pytest.approx(2.040, abs=0.001)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
async def test_a_rate_that_cannot_be_paced_is_refused(rate):
    with pytest.raises(ValueError, match="cannot pace"):
        Pacer(rate)


async def test_a_new_process_waits_out_the_window_of_the_one_before():
    before = await grants(Pacer(10), 10)

    after = await grants(Pacer(10), 10)

    assert after[0] - before[-1] >= 1.040 - 1e-4
    assert most_in_a_second([time + 0.040 for time in before] + after) <= 10


async def test_an_idle_pacer_grants_at_once():
    pacer = Pacer(10)
    await asyncio.sleep(5)
    asked = now()

    await pacer.acquire()

    assert now() == asked


async def test_idleness_saves_up_no_burst():
    pacer = Pacer(10)
    await asyncio.sleep(60)

    times = await grants(pacer, 20)

    assert all(later - earlier >= 0.104 for earlier, later in pairwise(times))


async def test_slots_are_given_in_the_order_of_asking():
    pacer = Pacer(10)
    order = []

    async def waiter(name):
        await pacer.acquire()
        order.append(name)

    async with asyncio.TaskGroup() as group:
        for name in range(30):
            group.create_task(waiter(name))

    assert order == list(range(30))


@pytest.mark.parametrize("position", [0, 1, 5])
async def test_a_cancelled_waiter_spends_nothing(position):
    pacer = Pacer(10)
    await asyncio.sleep(5)
    await pacer.acquire()
    start = now()
    times = []

    async def waiter():
        await pacer.acquire()
        times.append(now() - start)

    tasks = [asyncio.create_task(waiter()) for _ in range(6)]
    await asyncio.sleep(0.05)
    tasks[position].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert times == pytest.approx([0.104 * slot for slot in range(1, 6)], abs=0.002)


async def test_a_pause_holds_everyone_exactly_until_its_end():
    pacer = Pacer(10)
    await asyncio.sleep(5)
    end = now() + 7.5
    pacer.pause_until(end)

    times = await grants(pacer, 3)

    assert times[0] == pytest.approx(end, abs=1e-4)
    assert times[1] - times[0] >= 0.104


async def test_a_pause_reaches_a_waiter_that_already_sleeps():
    pacer = Pacer(1)
    await asyncio.sleep(5)
    await pacer.acquire()
    waiting = asyncio.create_task(pacer.acquire())
    await asyncio.sleep(0.5)
    end = now() + 30
    pacer.pause_until(end)

    await waiting

    assert now() == pytest.approx(end, abs=1e-4)


async def test_a_shorter_pause_does_not_end_a_longer_one():
    pacer = Pacer(10)
    end = now() + 20
    pacer.pause_until(end)
    pacer.pause_until(now() + 1)

    assert pacer.paused_until == end


async def test_a_429_halves_the_rate_once_a_window_and_never_below_one():
    pacer = Pacer(10)
    rates = []
    for _ in range(6):
        pacer.slow_down()
        pacer.slow_down()
        rates.append(pacer.rate)
        await asyncio.sleep(1.0)

    assert rates == [5.0, 2.5, 1.25, 1.0, 1.0, 1.0]


async def test_a_lower_rate_is_really_granted():
    pacer = Pacer(10)
    await asyncio.sleep(5)
    await pacer.acquire()
    pacer.slow_down()

    times = await grants(pacer, 11)

    assert 10 / (times[-1] - times[0]) == pytest.approx(5.0 / 1.04, rel=0.01)


async def test_successes_bring_the_rate_back_in_ten_seconds_from_a_half():
    pacer = Pacer(10)
    pacer.slow_down()
    await asyncio.sleep(2)
    start = now()

    while pacer.rate < 10:
        await pacer.acquire()
        pacer.recovered()

    assert now() - start == pytest.approx(10, rel=0.1)
    assert pacer.rate == 10.0


async def test_a_target_that_was_down_is_met_with_a_tenth_of_the_rate():
    pacer = Pacer(30)
    pacer.slow_start()

    assert pacer.rate == 3.0
    assert pacer.spacing_s == pytest.approx(1.04 / 3)


async def test_slow_start_never_raises_a_rate_that_is_lower_already():
    pacer = Pacer(30)
    for _ in range(6):
        pacer.slow_down()
        await asyncio.sleep(1)
    pacer.slow_start()

    assert pacer.rate == 1.0
