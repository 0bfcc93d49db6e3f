"""History goes after its time, and nothing goes that something alive may still look at (A4, A8)."""

import pytest
from support.costs import cost_of
from support.idp import add, deactivate, remove, user
from support.lab import Unobserved

from relay.daemon.retention import Retention
from relay.errors import Refused
from relay.rules import dialect
from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.operate.pruning import ROWS, STRIDE_S, Cursor
from relay.store.state.holds import HoldName

DAY_S = 86_400.0
KEPT_S = 90 * DAY_S
LATER_S = 100 * DAY_S


class Counted(Unobserved):
    def __init__(self):
        self.rows = {"change": 0, "attempt": 0}

    def pruned(self, table, rows):
        self.rows[table] += rows


async def pruned(lab, passes=12):
    """Enough hourly passes for what is ten days past its time; what went, by table."""
    counted = Counted()
    for _ in range(passes):
        await Retention(lab.store, KEPT_S, counted, pause_s=0.0).prune()
    return counted.rows


def post(name):
    return dialect.parse_create(Kind.USER, user(name))


async def ids(lab, table="change"):
    return [row for (row,) in await lab.store.run(lambda tx: tx.all(f"SELECT id FROM {table}"))]


async def test_settled_changes_and_attempts_go_after_their_time_and_not_before(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    await lab.edit(ada, externalId="e-1")
    await lab.run()
    lab.clock.turn(KEPT_S - DAY_S)
    assert await pruned(lab) == {"change": 0, "attempt": 0}
    lab.clock.turn(2 * DAY_S)
    before = await lab.counters()
    gone = await pruned(lab)

    assert gone == {"change": 1, "attempt": 2}  # the last change of a user who is there stays
    assert await lab.counters() == before


async def test_what_was_settled_late_is_kept_from_then_on(lab):
    await lab.store.raise_hold(HoldName.OPERATOR, "a test")
    ada = await lab.user("ada@example.com")
    await lab.edit(ada, externalId="e-1")
    lab.clock.turn(LATER_S)
    await lab.store.lift(HoldName.OPERATOR)
    await lab.run()

    assert await pruned(lab) == {"change": 0, "attempt": 0}
    lab.clock.turn(KEPT_S + DAY_S)
    assert await pruned(lab, 120) == {"change": 1, "attempt": 1}


async def test_all_that_is_known_of_who_is_gone_goes(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    await lab.delete(Kind.USER, ada)
    await lab.run()
    lab.clock.turn(LATER_S)

    assert await pruned(lab) == {"change": 2, "attempt": 2}
    assert await ids(lab) == []


async def test_nothing_of_a_lane_goes_while_something_older_is_pending_in_it(lab):
    users = await lab.users(3)
    crew = await lab.group("Crew", users[0], users[1])
    await lab.run()
    lab.tfe.faults.add(
        Fault(kind=FaultKind.STATUS, status=400, detail="no"), Match(body="Remove", count=None)
    )
    owed = await lab.patch(Kind.GROUP, crew, remove(users[0]))
    await lab.run()
    later = [await lab.patch(Kind.GROUP, crew, add(users[2]))]
    await lab.run()
    later.append(await lab.patch(Kind.GROUP, crew, remove(users[2])))
    await lab.run()
    lab.clock.turn(LATER_S)
    await pruned(lab)

    assert {owed.change, *(one.change for one in later)} <= set(await ids(lab))
    lab.tfe.faults.clear()
    await lab.run(within_s=3600.0)
    assert (await lab.counters())["pending"] == 0
    assert lab.roster("Crew") == {"user00001@example.com"}


async def test_a_parked_change_is_kept_with_all_that_was_written_after_it_and_can_be_retried(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    lab.tfe.faults.add(Fault(kind=FaultKind.STATUS, status=400), Match(body="e-bad", count=None))
    parked = await lab.edit(ada, externalId="e-bad", userName="grace@example.com")
    await lab.run()
    assert await lab.state(parked.change) == "parked"
    renamed = await lab.edit(ada, userName="hopper@example.com")
    await lab.run()
    await lab.edit(ada, active=False)
    await lab.run()
    lab.clock.turn(LATER_S)
    await pruned(lab)

    assert {parked.change, renamed.change} <= set(await ids(lab))
    lab.tfe.faults.clear()
    await lab.store.desk.retry(parked.change, "ann", "a test")
    await lab.run()
    assert lab.user_in_tfe("hopper@example.com").external_id == "e-bad"


async def test_a_post_whose_answer_was_lost_is_known_again_however_late_it_is_repeated(lab):
    accepted = await lab.store.directory.accept("idp", post("ada@example.com"), None)
    await lab.run()
    lab.clock.turn(LATER_S)
    await pruned(lab)
    again = await lab.store.directory.accept("idp", post("ada@example.com"), None)

    assert again.repeat
    assert again.resource.public_id == accepted.resource.public_id


async def test_what_waits_in_a_hold_keeps_its_change(lab):
    await lab.store.raise_hold(HoldName.OPERATOR, "a test")
    ada = await lab.user("ada@example.com")
    held = await lab.patch(Kind.USER, ada, deactivate())
    lab.clock.turn(LATER_S)
    await pruned(lab)

    assert held.change in await ids(lab)


async def test_an_id_given_out_stays_valid_when_what_led_to_it_is_forgotten(lab):
    lab.tfe.faults.add(Fault(kind=FaultKind.STATUS, status=400), Match(method="POST", count=None))
    ada = await lab.user("ada@example.com")
    await lab.run()
    lab.clock.turn(LATER_S)
    await pruned(lab)
    with pytest.raises(Refused):
        await lab.user("ada@example.com")
    waiting = await lab.accept(post("ada@example.com"), waits=True)
    await lab.store.run(lambda tx: tx.run("DELETE FROM change WHERE id < ?", (waiting.change,)))
    await lab.run()

    assert (await lab.settlement(waiting.change)).status == 400
    lab.tfe.faults.clear()
    assert await lab.user("ada@example.com") == ada


async def test_a_clock_set_wrong_takes_a_day_of_history_a_pass_and_no_more(lab):
    for day in range(10):
        ada = await lab.user(f"ada{day}@example.com")
        await lab.run()
        await lab.delete(Kind.USER, ada)
        await lab.run()
        lab.clock.turn(DAY_S)
    lab.clock.turn(365 * DAY_S)

    assert await pruned(lab, 1) == {"change": 2, "attempt": 2}
    assert await pruned(lab, 1) == {"change": 2, "attempt": 2}
    assert STRIDE_S == DAY_S


async def seed(lab, rows):
    """So many changes and attempts of a hundred users, all settled on one day."""

    def fill(tx):
        tx.run(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO change (resource, connection, verb, at, state, writes, settled_at)"
            " SELECT 1 + i % 100, 'idp', 'patch', ?2, 'delivered', '{}', ?2 FROM n",
            (rows, tx.now),
        )
        tx.run(
            "INSERT INTO attempt (resource, through, purpose, method, path, claimed_at,"
            " settled_at, verdict) SELECT resource, id, 'write', 'PATCH', '/Users/x', at, at,"
            " 'delivered' FROM change WHERE writes = '{}'"
        )
        tx.run(
            "UPDATE resource SET last_change ="
            " (SELECT max(id) FROM change WHERE change.resource = resource.id)"
        )

    await lab.store.run(fill)


async def test_a_hundred_thousand_rows_go_in_batches_of_bounded_cost(lab):
    await lab.users(100)
    await lab.run()
    before = await lab.counters()
    await seed(lab, 100_000)
    lab.clock.turn(LATER_S)
    horizon = await lab.store.horizon(KEPT_S)
    at, done, steps, gone = Cursor(), False, [], 0
    while not done:
        async with cost_of(lab.store) as cost:
            batch = await lab.store.prune(horizon, at)
        at, done = batch.at, batch.done
        steps.append(cost.steps)
        gone += batch.changes

    assert gone == 100_000
    assert len(steps) >= 100_000 // ROWS
    assert max(steps) < 200 * ROWS
    assert len(await ids(lab)) == 100
    assert await lab.counters() == before


async def test_writes_are_accepted_between_the_batches(lab):
    await lab.users(100)
    await lab.run()
    await seed(lab, 5_000)
    lab.clock.turn(LATER_S)
    horizon, at = await lab.store.horizon(KEPT_S), Cursor()
    first = await lab.store.prune(horizon, at)
    await lab.user("late@example.com")
    second = await lab.store.prune(horizon, first.at)
    await lab.run()

    assert not first.done
    assert first.changes == second.changes == ROWS
    assert lab.user_in_tfe("late@example.com") is not None


REFERENCES = {
    "what an operator rejected": "INSERT INTO rejected VALUES (1, -3, 'idp', {0}, 0, 'ann', 'no')",
    "a key that TFE was found to lack": "INSERT INTO effect (resource, key, first, last, revokes,"
    " state, opened) VALUES (1, -2, {0}, {0}, 0, 'open', 0)",
}


@pytest.mark.parametrize("referring", REFERENCES.values(), ids=REFERENCES)
async def test_a_change_that_something_refers_to_stays(lab, referring):
    ada = await lab.user("ada@example.com")
    await lab.run()
    old = await lab.edit(ada, externalId="e-1")
    await lab.run()
    await lab.edit(ada, externalId="e-2")
    await lab.run()
    await lab.store.run(lambda tx: tx.run(referring.format(old.change)))
    lab.clock.turn(LATER_S)
    await pruned(lab)

    assert old.change in await ids(lab)
    assert old.change - 1 not in await ids(lab)


async def test_attempts_stay_while_their_resource_is_to_be_read_back(lab):
    await lab.user("ada@example.com")
    await lab.user("bob@example.com")
    await lab.run()
    ada, bob = await ids(lab, "attempt")
    await lab.store.run(
        lambda tx: tx.run("INSERT INTO verification (resource, due) VALUES (1, ?)", (tx.now * 2,))
    )
    lab.clock.turn(LATER_S)
    await pruned(lab)

    assert await ids(lab, "attempt") == [ada]
    assert bob != ada
