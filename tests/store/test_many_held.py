"""A purge of thousands is decided batch by batch: others are served between, a crash resumes."""

import asyncio

import pytest
from support.idp import deactivate, patch_body, user
from support.lab import lab_in

from relay.rules import dialect
from relay.rules.guard import Budget, GuardPolicy, Loss
from relay.rules.types import Kind
from relay.store.operate import held, releasing
from relay.store.operate.held import Selection

NARROW = GuardPolicy(3600.0, {loss: Budget(count=5) for loss in Loss}, max_emptied=0)
WHY = ("ada (uid 1000)", "a test")
EVERYTHING = Selection()
USERS = 60


@pytest.fixture
async def lab(tmp_path, monkeypatch):
    """A lab in which sixty deactivations are held, and a batch is ten."""
    monkeypatch.setattr(held, "BATCH", 10)
    async with lab_in(tmp_path, guard=NARROW) as lab:
        people = await lab.users(USERS)
        await lab.run()
        for one in people:
            await lab.patch(Kind.USER, one, deactivate())
        await lab.run()
        assert len(await lab.store.desk.held(EVERYTHING)) == USERS
        yield lab


def active(lab):
    return sum(one.fields.active for one in lab.tfe.directory.users)


@pytest.mark.parametrize("verb", ["approve", "reject"])
async def test_a_write_is_accepted_between_two_batches(lab, verb):
    batches = []
    decide = getattr(releasing, verb)

    def counted(tx, *decided):
        found = decide(tx, *decided)
        batches.append(len(found))
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(releasing, verb, counted)
        deciding = asyncio.ensure_future(getattr(lab.store.desk, verb)(EVERYTHING, *WHY))
        await asyncio.sleep(0)
        await lab.accept(dialect.parse_create(Kind.USER, user("between@example.com")))
        before = len(batches)
        found = await deciding
    await lab.run()

    assert len(found) == USERS
    assert max(batches) <= 10
    assert before < len(batches)
    assert await lab.store.desk.held(EVERYTHING) == []
    assert active(lab) == (1 if verb == "approve" else USERS + 1)
    assert (await lab.counters())["pending"] == 0


async def test_what_comes_to_be_held_while_it_is_decided_is_not_meant(lab):
    ids = await lab.users(8, prefix="late")
    deciding = asyncio.ensure_future(lab.store.desk.approve(EVERYTHING, *WHY))
    await asyncio.sleep(0)
    for one in ids:
        write = dialect.parse_patch(Kind.USER, patch_body(deactivate()))
        await lab.accept(write, one)
    assert len(await deciding) == USERS


async def test_a_decision_that_a_crash_cut_short_leaves_the_rest_held_and_is_taken_again(
    lab, tmp_path
):
    first = held.batches(await lab.store.desk.held(EVERYTHING))[0]
    await lab.store.run(lambda tx: releasing.approve(tx, first, *WHY))
    left = await lab.store.desk.held(EVERYTHING)
    assert len(left) == USERS - 10
    await lab.store.desk.approve(EVERYTHING, *WHY)
    await lab.run()
    assert active(lab) == 0
