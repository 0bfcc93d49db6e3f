"""What an operation costs does not grow with the queue, nor with the group it is about."""

import pytest
from support.costs import cost_of
from support.idp import add, remove, user

from relay.rules import dialect
from relay.rules.types import Kind
from relay.store.operate import backlog
from relay.store.operate.status import snapshot_in
from relay.store.state.claims import Claim
from relay.store.state.holds import HoldName


async def test_a_creation_takes_at_most_22_statements(lab):
    await lab.user("first@example.com")
    write = dialect.parse_create(Kind.USER, user("second@example.com"))

    async with cost_of(lab.store) as cost:
        await lab.store.directory.accept("idp", write, None, patient=True)

    assert len(cost.statements) <= 22, "\n".join(cost.statements)


async def a_group_of(lab, size):
    users = await lab.users(size + 1)
    group = await lab.group("Engineering", *users[:-1])
    await lab.run()
    return group, users[-1]


@pytest.mark.parametrize("waits", [False, True])
async def test_one_more_member_costs_the_same_in_a_large_group(lab_of, waits):
    costs = []
    for size in (10, 999):
        async with lab_of(f"group-of-{size}") as lab:
            group, newcomer = await a_group_of(lab, size)
            write = dialect.parse_patch(Kind.GROUP, {"Operations": [add(newcomer)]})
            async with cost_of(lab.store) as cost:
                await lab.accept(write, group, waits=waits)
                [sent] = await lab.run()
            assert sent.line == f"PATCH /Groups/{await lab.target(group)}"
            costs.append(cost)

    small, large = costs
    assert len(large.statements) <= len(small.statements)
    assert large.steps < 1.5 * small.steps


async def claims_and_settles(lab):
    """Ten turns, the fair one among them."""
    for _ in range(10):
        claim = await lab.claim()
        assert isinstance(claim, Claim)
        await lab.finish(claim, await lab.send(claim.request))


async def test_sending_costs_the_same_behind_a_long_queue(lab_of):
    steps = []
    for pending in (20, 2_000):
        async with lab_of(f"queue-of-{pending}") as lab:
            await lab.users(pending)
            async with cost_of(lab.store) as cost:
                await claims_and_settles(lab)
            steps.append(cost.steps)

    short, long = steps
    assert long < 1.5 * short


async def test_accepting_costs_the_same_behind_a_long_queue(lab_of):
    steps = []
    for pending in (20, 2_000):
        async with lab_of(f"queue-of-{pending}") as lab:
            await lab.users(pending)
            async with cost_of(lab.store) as cost:
                await lab.user("late@example.com")
            steps.append(cost.steps)

    short, long = steps
    assert long < 1.5 * short


async def test_the_gauges_cost_the_same_beside_a_long_queue(lab_of):
    steps = []
    for pending in (20, 2_000):
        async with lab_of(f"queue-of-{pending}") as lab:
            await lab.users(pending)
            async with cost_of(lab.store) as cost:
                await lab.store.run(lambda tx: snapshot_in(tx.connection, 1000))
            steps.append(cost.steps)

    short, long = steps
    assert long < 1.5 * short


async def test_what_waits_costs_the_same_in_a_large_directory(lab_of):
    steps = []
    for there in (20, 2_000):
        async with lab_of(f"directory-of-{there}") as lab:
            await lab.users(there)
            await lab.run()
            await lab.user("late@example.com")
            async with cost_of(lab.store) as cost:
                await lab.store.run(lambda tx: tx.all(backlog.UNBOUND))
            steps.append(cost.steps)

    short, long = steps
    assert long < 1.5 * short


async def test_an_undone_write_costs_the_same_in_a_lane_with_many_pending_changes(lab_of):
    steps = []
    for pending in (20, 900):
        async with lab_of(f"lane-of-{pending}") as lab:
            users = await lab.users(pending + 1)
            group = await lab.group("Engineering")
            await lab.run()
            await lab.store.raise_hold(HoldName.OPERATOR, "a test")
            for member in users[:-1]:
                await lab.patch(Kind.GROUP, group, add(member))
            async with cost_of(lab.store) as cost:
                await lab.patch(Kind.GROUP, group, add(users[-1]))
                undone = await lab.patch(Kind.GROUP, group, remove(users[-1]))
            assert await lab.state(undone.change) == "delivered"
            assert (await lab.counters())["pending"] == pending
            steps.append(cost.steps)

    short, long = steps
    assert long < 1.5 * short
