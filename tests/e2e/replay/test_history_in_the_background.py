"""Retention runs beside everything else, hour by hour, through a disk that fails for a moment."""

import asyncio

from support.idp import user
from support.world import World, run_virtually

from relay.daemon.retention import Retention
from relay.rules import dialect
from relay.rules.types import Kind, Verb, Write
from relay.store.file.engine import OperationalError

HOUR_S = 3600.0


class Counted:
    def __init__(self):
        self.rows = 0

    def pruned(self, _table, rows):
        self.rows += rows


def virtually(tmp_path, keep_s, play):
    """Play beside a retention of so many seconds, in virtual time."""

    async def main():
        world, counted = World(tmp_path / "w.db"), Counted()
        await world.start()
        task = asyncio.create_task(Retention(world.store, keep_s, counted).run())
        world._tasks.append(task)
        await play(world, counted)
        await world.stop()

    run_virtually(main)


async def come_and_go(world, name):
    write = dialect.parse_create(Kind.USER, user(name))
    accepted = await world.store.directory.accept("idp", write, None)
    await world.settled()
    leave = Write(Verb.DELETE, Kind.USER)
    await world.store.directory.accept("idp", leave, accepted.resource.public_id)
    await world.settled()


def test_history_goes_by_itself_once_its_time_has_come(tmp_path):
    async def play(world, counted):
        await come_and_go(world, "ada@example.com")
        await world.pass_time(5 * HOUR_S)
        assert counted.rows == 0
        await come_and_go(world, "bob@example.com")
        await world.pass_time(2.5 * HOUR_S)
        assert counted.rows == 4
        counters = await world.counters()
        assert counters["delivered"] == counters["accepted"] == 4

    virtually(tmp_path, 6 * HOUR_S, play)


def test_a_disk_that_fails_puts_it_off_for_an_hour(tmp_path):
    async def play(world, counted):
        await come_and_go(world, "ada@example.com")
        await world.pass_time(5 * HOUR_S)
        world.store._writer._one, one = _broken, world.store._writer._one
        await world.pass_time(2.5 * HOUR_S)
        assert counted.rows == 0
        world.store._writer._one = one
        await world.pass_time(1.5 * HOUR_S)
        assert counted.rows == 4

    virtually(tmp_path, 6 * HOUR_S, play)


def _broken(_job, _outbox):
    error = OperationalError("disk I/O error")
    error.sqlite_errorcode = 10
    raise error


def test_a_retention_of_nothing_keeps_everything(tmp_path):
    async def play(world, counted):
        await come_and_go(world, "ada@example.com")
        await world.pass_time(3 * HOUR_S)

        assert counted.rows == 0

    virtually(tmp_path, 0.0, play)
