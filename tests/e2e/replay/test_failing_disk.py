"""A disk that fails for a moment ends no part of delivery, and loses no result (A7)."""

import sqlite3

import pytest
from support.idp import user
from support.world import World, run_virtually

from relay.rules import dialect
from relay.rules.types import Kind
from relay.simulator import Fault, FaultKind, Match
from relay.store.file.engine import OperationalError


def disk_error():
    error = OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
    return error


def failing(store, times):
    """From now on the writer's commits fail so many times, as a full or broken disk makes them."""
    writer, left = store._writer, [times]
    commit = writer._one

    def one(job, outbox):
        if left[0] > 0:
            left[0] -= 1
            writer._connection.execute("ROLLBACK")
            raise disk_error()
        return commit(job, outbox)

    writer._one = one
    return left


async def created(world, name):
    write = dialect.parse_create(Kind.USER, user(name))
    await world.store.directory.accept("idp", write, None)


@pytest.mark.parametrize("before_s", [0.0, 0.05, 0.5, 1.0, 5.0, 29.0])
@pytest.mark.parametrize("times", [1, 5])
def test_delivery_goes_on_after_commits_that_failed(tmp_path, times, before_s):
    async def main():
        world = World(tmp_path / "w.db")
        await world.start()
        await created(world, "ada@example.com")
        await world.pass_time(3.0)
        world.tfe.pause()
        for number in range(5):
            await created(world, f"user{number}@example.com")
        await world.pass_time(before_s)
        left = failing(world.store, times)
        await world.pass_time(30.0)
        world.tfe.resume()
        await world.pass_time(600.0)
        assert left == [0]
        await world.settled()
        counters = await world.counters()
        await world.stop()
        assert counters["delivered"] == counters["accepted"] == 6
        assert len(list(world.tfe.directory.users)) == 6

    run_virtually(main)


def not_taking_down(store, times):
    """From now on commits that leave the hold `down` fail so many times."""
    writer, left = store._writer, [times]
    commit = writer._one

    def one(job, outbox):
        done = commit(job, outbox)
        down = writer._connection.execute("SELECT 1 FROM hold WHERE name = 'down'").fetchone()
        if left[0] > 0 and down is not None:
            left[0] -= 1
            writer._connection.execute("ROLLBACK")
            raise disk_error()
        return done

    writer._one = one
    return left


def test_a_hold_that_is_on_disk_only_after_it_was_lifted_does_not_stand_for_ever(tmp_path):
    async def main():
        world = World(tmp_path / "w.db")
        await world.start()
        await created(world, "ada@example.com")
        await world.settled()
        world.tfe.faults.add(Fault(kind=FaultKind.STATUS, status=502), Match(method="POST"))
        left = not_taking_down(world.store, 3)
        await created(world, "bob@example.com")
        await world.pass_time(3600.0)
        counters, standing = await world.counters(), world.holds.standing
        await world.stop()
        assert left == [0]
        assert standing == ()
        assert counters["delivered"] == 2

    run_virtually(main)
