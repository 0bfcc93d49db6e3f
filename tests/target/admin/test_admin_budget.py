"""The budgets of the admin API, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from relay.simulator.log import densest
from relay.target.admin import Budget, Budgets

pytestmark = pytest.mark.looptime


def now():
    return asyncio.get_running_loop().time()


class Peer:
    """Arrivals as TFE counts them: each request takes its way there, and its way back."""

    def __init__(self, budget, *ways):
        self.budget = budget
        self.ways = ways
        self.arrivals = []

    async def ask(self, number):
        there, back = self.ways[number % len(self.ways)]
        async with self.budget.slot():
            await asyncio.sleep(there)
            self.arrivals.append(now())
            await asyncio.sleep(back)

    async def ask_all(self, number):
        async with asyncio.TaskGroup() as tasks:
            for one in range(number):
                tasks.create_task(self.ask(one))


@pytest.mark.parametrize(
    "ways",
    [
        [(0, 0)],
        [(0.001, 0.02)],
        [(0, 3), (2, 0)],
        [(0.5, 0), (0, 0.5), (0, 0)],
        [(8, 0), (0, 0)],
    ],
)
@pytest.mark.parametrize(("limit", "window_s"), [(20, 1.0), (10, 60.0), (1, 1.0)])
async def test_no_window_ever_holds_more_however_long_the_network_takes(ways, limit, window_s):
    peer = Peer(Budget(limit, window_s), *ways)

    await peer.ask_all(4 * limit + 3)

    assert densest(sorted(peer.arrivals), window_s) <= limit


async def test_with_a_quick_network_the_budget_is_used_up():
    peer = Peer(Budget(10, 60.0), (0, 0))

    await peer.ask_all(40)

    assert peer.arrivals[0] == pytest.approx(60, abs=0.01)
    assert peer.arrivals[-1] == pytest.approx(60 + 3 * 60, abs=0.01)


async def test_the_first_slot_comes_a_window_after_the_start_since_another_process_may_have_run():
    before = Peer(Budget(10, 60.0), (0, 0))
    await before.ask_all(10)
    after = Peer(Budget(10, 60.0), (0, 0))
    await after.ask_all(10)

    assert densest(before.arrivals + after.arrivals, 60.0) == 10


async def test_slots_are_given_in_the_order_of_asking():
    budget, order = Budget(1, 1.0), []

    async def ask(number):
        async with budget.slot():
            order.append(number)

    async with asyncio.TaskGroup() as tasks:
        for number in range(5):
            tasks.create_task(ask(number))

    assert order == [0, 1, 2, 3, 4]


async def test_a_waiter_that_is_cancelled_has_spent_nothing():
    budget = Budget(1, 1.0)
    peer = Peer(budget, (0, 0))
    await peer.ask(0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await peer.ask(0)
    await peer.ask(0)

    first, second = peer.arrivals
    assert second - first == pytest.approx(1, abs=0.01)


async def test_a_refusal_waits_as_long_as_it_says():
    budget = Budget(10, 1.0)
    peer = Peer(budget, (0, 0))
    await peer.ask(0)
    budget.refused("12.5")
    await peer.ask(0)

    first, second = peer.arrivals
    assert second - first == pytest.approx(12.5, abs=0.01)


@pytest.mark.parametrize("reset", [None, "", "soon", "0", "-5", "nan", "1e3"])
async def test_a_refusal_that_does_not_say_waits_a_second_and_doubles_until_served(reset):
    budget = Budget(10, 1.0)
    peer = Peer(budget, (0, 0))
    await peer.ask(0)
    for _ in range(3):
        budget.refused(reset)
        await peer.ask(0)
    budget.served()
    budget.refused(reset)
    await peer.ask(0)

    gaps = [after - before for before, after in zip(peer.arrivals, peer.arrivals[1:], strict=False)]
    assert gaps == pytest.approx([1, 2, 4, 1], abs=0.01)


async def test_no_refusal_is_waited_for_longer_than_two_minutes():
    budget = Budget(10, 1.0)
    peer = Peer(budget, (0, 0))
    await peer.ask(0)
    budget.refused("86400")
    await peer.ask(0)

    first, second = peer.arrivals
    assert second - first == pytest.approx(120, abs=0.01)


async def test_the_budgets_are_those_of_the_contract():
    budgets, counts = Budgets(), []
    for budget, seconds in ((budgets.settings, 1), (budgets.links, 60), (budgets.api, 1)):
        peer = Peer(budget, (0, 0))
        await peer.ask_all(35)
        counts.append(densest(peer.arrivals, seconds))

    assert counts == [20, 10, 30]
