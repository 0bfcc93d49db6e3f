"""The audit log ends, too: from the beginning, after its time, and the chain still verifies."""

import pytest
from structlog.testing import capture_logs
from support.audits import entries, walked
from support.lab import Unobserved

from relay.daemon.auditing import TOLD_EVERY, Auditing
from relay.store.file.audit_log import anchor
from relay.store.operate.audit_pruning import ROWS

DAY_S = 86_400.0


class Counted(Unobserved):
    def __init__(self):
        self.rows = 0

    def pruned(self, _table, rows):
        self.rows += rows


async def kept(lab, history_s, words_s=0.0, passes=12):
    """So many hourly passes; what went."""
    counted = Counted()
    auditing = Auditing(lab.store, history_s, words_s, counted, pause_s=0.0)
    for _ in range(passes):
        await auditing.prune()
    return counted.rows


async def old_and_new(lab, days=30.0):
    await lab.users(6)
    lab.clock.turn(days * DAY_S)
    await lab.users(6, "late")


async def test_entries_go_from_the_beginning_and_the_chain_begins_at_the_last_that_went(lab):
    await old_and_new(lab)
    assert await kept(lab, 40 * DAY_S) == 0
    assert await kept(lab, 20 * DAY_S) == 6
    walk = await walked(lab.store)

    assert (walk.broken, walk.entries, walk.start.number) == (None, 6, 6)


async def test_the_chain_goes_on_when_every_entry_went(lab):
    await old_and_new(lab)
    lab.clock.turn(30 * DAY_S)
    assert await kept(lab, DAY_S, passes=80) == 12
    await lab.user("last@example.com")
    walk = await walked(lab.store)

    assert (walk.broken, walk.entries, walk.at.number) == (None, 1, 13)


async def test_zero_keeps_everything(lab):
    await old_and_new(lab)
    assert await kept(lab, 0.0) == 0


async def test_more_than_a_batch_goes_in_batches(lab):
    def fill(tx):
        for number in range(2 * ROWS + 7):
            tx.audit("a test", "idp", detail=str(number))

    await lab.store.run(fill)
    lab.clock.turn(30 * DAY_S)
    assert await kept(lab, DAY_S, passes=1) == 2 * ROWS + 7
    assert (await walked(lab.store)).broken is None


async def test_entries_from_a_time_when_the_clock_was_ahead_go_with_their_neighbours(lab):
    await lab.user("ada@example.com")
    lab.clock.set_anew(1_000 * DAY_S)
    await lab.user("bob@example.com")
    lab.clock.set_anew(-1_000 * DAY_S)
    await lab.user("eve@example.com")
    lab.clock.turn(30 * DAY_S)
    await lab.user("zoe@example.com")
    await kept(lab, 20 * DAY_S, passes=40)
    left = [one["detail"] for one in await entries(lab.store, "accepted")]

    assert left == ["zoe@example.com"]
    assert (await walked(lab.store)).broken is None


async def test_words_go_before_their_entries_and_the_chain_holds(lab):
    await old_and_new(lab)
    assert await kept(lab, 100 * DAY_S, 20 * DAY_S) == 0
    walk = await walked(lab.store)
    words = [one["detail"] for one in await entries(lab.store)]

    assert (walk.broken, walk.entries, walk.forgotten) == (None, 12, 6)
    assert words[:6] == [None] * 6
    assert words[6] == "late00000@example.com"


@pytest.mark.parametrize("moved", [True, False])
async def test_the_head_is_told_when_it_moved_and_otherwise_only_by_the_hour(lab, moved):
    auditing = Auditing(lab.store, 0.0, 0.0, Counted())
    await lab.user("ada@example.com")
    await auditing.tell()
    with capture_logs() as logs:
        if moved:
            await lab.user("bob@example.com")
        await auditing.tell()
        heads = [one for one in logs if one["event"] == "audit.head"]
        await auditing.tell(anyway=True)
        again = [one for one in logs if one["event"] == "audit.head"]
    head = await lab.store.audit.head()

    assert [one["entry"] for one in heads] == ([2] if moved else [])
    assert again[-1]["hash"] == head.hash.hex()
    assert TOLD_EVERY == 60


async def test_the_anchor_is_what_a_head_once_was(lab):
    await lab.users(3)
    head = await lab.store.audit.head()
    lab.clock.turn(30 * DAY_S)
    await lab.user("late@example.com")
    await kept(lab, 20 * DAY_S)
    assert await lab.store.run(lambda tx: anchor(tx.connection)) == head
